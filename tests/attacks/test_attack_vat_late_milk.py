"""Milk that is metered while a vat is held: it is not in the vat, so it does not drain."""

import pytest
from msgspec.structs import replace

from ledger.params import BATCH_HOLD_MS
from tests.support.evidence.vats import Pour, VatStory
from tests.support.ledger.dairy import bill
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS, Counted

DRAIN, AGAIN = Pour(1_900, 180, 2_000), Pour(4_100, 180, 2_000)
HELD_S, HALF_S = 1_850, 1_990
WHOLE = 360


def late_town(*litres, story=None, metered_s=600):
    """A vat of which the chain has a part; the rest was metered after its hold began."""
    town = VatTown(story or VatStory(fills=(), drains=(DRAIN,)), litres=litres)
    metered_ms = START_MS + metered_s * 1_000
    town.line.fill(town.state, bill(500), first_ms=metered_ms, last_ms=metered_ms + 60_000)
    return town


@pytest.mark.parametrize("cuts", [(), (900,), (HELD_S,), (HALF_S,), (HELD_S, HALF_S)])
def test_milk_that_was_metered_while_the_vat_was_held_does_not_drain(cuts):
    town = late_town(100)
    counted = 0
    for cut in (*cuts, None):
        claim = town.signed(town.until(cut) if cut else town.claim())
        left = 100_000 - counted
        if claim.counted_steps > left:
            assert town.mint(claim) == "short_tank"
            claim = less(claim, left)
        assert town.mint(claim) == ""
        counted += claim.counted_steps
    assert town.minted_units() == bill(100)
    town.close()


def less(claim, steps):
    """Claim so many steps alone; the others are lost."""
    more = claim.counted_steps - steps
    intervals = (replace(claim.intervals[0], steps=steps),) if steps else ()
    return replace(
        claim,
        intervals=intervals,
        counted_steps=steps,
        lost_steps=claim.lost_steps + more,
        units=steps * 1_000,
        holds=claim.holds if steps else (),
    )


def test_the_next_hold_drains_it():
    """What was metered in one hold is poured after its drain, and held."""
    town = late_town(360, story=VatStory(), metered_s=2_000)
    town.windows(HELD_S, HALF_S, 3_000)
    assert town.minted_units() == bill(2 * WHOLE)
    assert late_town(360, story=VatStory(), metered_s=2_000).windows() == 2 * WHOLE * 1_000


def test_what_a_claim_says_of_its_holds_is_what_its_readings_say():
    town = VatTown(VatStory())
    claim = town.signed(town.claim())
    first, second = claim.holds
    assert first == START_MS
    for wrong in ((), (first,), (second,), (first, second + 1), (first, first + 1, second)):
        assert town.judged(replace(claim, holds=wrong)) == "claim_differs"
    later = replace(claim.vat, since_ms=claim.vat.since_ms + 1)
    assert town.judged(replace(claim, vat=later)) == "claim_differs"


def test_where_all_attestors_lie_no_hold_began_before_anyone_said_so():
    town = VatTown(VatStory())
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    claim = town.signed(town.until(HALF_S))
    [held_ms] = claim.holds
    for wrong in (
        (),
        (held_ms - 1,),
        (held_ms + 1,),
        (claim.from_ms,),
        (held_ms, held_ms),
        (held_ms, held_ms - 1),
        (claim.from_ms + 1, claim.from_ms),
    ):
        assert town.mint(replace(claim, holds=wrong)) == "wrong_vat", wrong
    late_ms = claim.to_ms - BATCH_HOLD_MS
    for since_ms in (0, held_ms - 1, held_ms + 1, late_ms + 1):
        assert town.lying(claim, since_ms=since_ms) == "wrong_vat", since_ms
    assert town.lying(claim, hot_ms=0, drained_steps=0, still_ms=claim.to_ms) == "wrong_vat"
    assert town.mint(claim) == ""


def test_a_hold_that_begins_in_the_window_is_half_an_hour_old_before_it_drains():
    town = VatTown(VatStory())
    claim = town.signed(town.until(HALF_S))
    early = claim.intervals[0].from_ms - BATCH_HOLD_MS
    assert town.mint(replace(claim, holds=(early + 1,))) == "wrong_vat"
    assert town.lying(claim, since_ms=claim.to_ms - BATCH_HOLD_MS + 1) == "wrong_vat"
    assert town.mint(replace(claim, holds=(START_MS - 1,))) == "wrong_vat"
    assert town.mint(claim) == ""


def test_a_line_without_a_vat_has_no_holds():
    town = Counted()
    assert town.mint(replace(town.good, holds=(START_MS,))) == "wrong_vat"
    assert town.good.holds == ()
