"""A valve that diverts late, and one that blinks, where the law lets clocks stand apart.

What is gained by it is bounded: cold milk counts in no case, only what honest instruments saw hot
in the quarter minutes before and after it, and that where the valve diverted as long as it says.
"""

import pytest

from ledger.params import CLOCKS_MS, COLD_VOID_MS
from tests.support.ledger.cheating import Cheat, over_all
from tests.support.ledger.dairy import bill
from tests.support.ledger.window import START_MS

END_S = 160
COLD_S = range(60, 80)
"""When samples are cold; milk is from 59 to 80 s, to which the flow has a litre a second."""
STRICT_L = 44 + (END_S - 29) - 95
"""What counts where all this is void, and a quarter minute either side."""


def sent_forward(*diverted):
    """Let milk be cold, and the valve divert when a plant likes; an honest attestor signs."""
    town = Cheat()
    valve = {at: 0 for each in diverted for at in each}
    town.run(END_S, hold_thermometer=dict.fromkeys(COLD_S, 60_000), diversion_valve=valve)
    return town, town.signed(town.claim())


def never_within(claim, since_s, until_s):
    """Tell that nothing counts of a time."""
    since_ms, until_ms = START_MS + since_s * 1_000, START_MS + until_s * 1_000
    return all(each.to_ms <= since_ms or each.from_ms >= until_ms for each in claim.intervals)


def test_cold_milk_that_nobody_diverts_voids_a_quarter_minute_either_side():
    town, claim = sent_forward()
    assert claim.counted_steps == STRICT_L * 1_000
    lie = over_all(claim, claim.counted_steps + claim.lost_steps, claim.units)
    assert town.judged(lie) == "claim_differs"
    town.close()


@pytest.mark.parametrize("late_s", range(-12, 13))
def test_whatever_the_valve_does_cold_milk_counts_nothing(late_s):
    town, claim = sent_forward(range(60 + late_s, 80 + late_s))
    assert never_within(claim, 59, 80)
    kept_l = claim.counted_steps // 1_000 - STRICT_L
    assert kept_l <= 2 * COLD_VOID_MS // 1_000
    if abs(late_s) > CLOCKS_MS // 1_000 + 1:
        # One side is void, up to where it began to divert, or was done with it.
        assert kept_l <= COLD_VOID_MS // 1_000
    assert town.mint(claim) == ""
    assert town.minted_units() == bill(claim.counted_steps // 1_000)
    town.close()


@pytest.mark.parametrize("every_s", [6, 8, 12])
def test_a_valve_that_blinks_excuses_nothing(every_s):
    """So a plant does not divert a second of each few, and call the rest its clock's."""
    town, claim = sent_forward(*(range(at, at + 2) for at in range(57, 90, every_s)))
    assert never_within(claim, 44, 95)
    assert claim.counted_steps == STRICT_L * 1_000
    town.close()


def test_what_was_diverted_before_excuses_no_cold_milk_long_after():
    town, claim = sent_forward(range(10, 50))
    assert never_within(claim, 44, 95)
    town.close()


def test_what_is_cut_away_from_the_cold_is_void_as_well():
    """A window that ends before the cold milk knows of it, and one that begins after it."""
    town, whole = sent_forward(range(68, 90))
    counted = 0
    for until_s in (52, 60, 84, None):
        claim = town.signed(town.claim(until_s))
        assert town.mint(claim) == ""
        counted += claim.counted_steps
    assert counted == whole.counted_steps
    town.close()
