"""A flow meter that is set to another unit: what it told in the old one is not told in the new."""

import pytest

from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import FOR_EVER_MS
from ledger.state.tables import DEVICES, LINES
from ledger.types.reading import Unit
from tests.support.evidence.vats import DAY_S, FLOW, Pour, VatStory
from tests.support.ledger.cheating import Cheat, showing
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

SET_S = 2_070
"""When the meter of a vat is set to another unit: its drain rests then."""
DRAINED = Pour(1_900, 150, 2_000)
RAW_IN, RAW_OUT = Pour(2_101, 58, 5_000), Pour(2_101, 58, 5_000)
"""Raw milk comes in as fast as it leaves, between two levels of a gauge that tells one a minute."""


def set_anew(town, unit, per_step):
    """Let a vat's flow meter be set to another unit: its total goes on from its number."""
    flow = town.line.of(FLOW)
    samples = town.day.samples(FLOW)
    flow.envelopes.clear()
    flow.seq, flow.previous, flow.carried = 0, ZERO_HASH, None
    old = [each for each in samples if each[0] < SET_S * 1_000]
    stood = old[-1][1]
    flow.measure(old, 60)
    flow.unit = unit
    flow.measure(
        [(at, stood + (at_ml - stood) * per_step) for at, at_ml in samples[len(old) :]], 60
    )


@pytest.mark.parametrize("cuts", [(), (1_900,), (2_060,), (2_080,), (2_060, 2_080), (2_080, 2_090)])
def test_a_vat_is_not_full_again_because_its_meter_counts_finer_steps(cuts):
    story = VatStory(fills=(RAW_IN,), drains=(DRAINED, RAW_OUT), level_every_s=60)
    town = VatTown(story)
    set_anew(town, Unit.MICROLITRE, 1_000)
    for cut in (*cuts, DAY_S):
        assert town.mint(town.signed(town.until(cut) if cut < DAY_S else town.claim())) == ""
    # A window reads its meter in one unit.
    held = any(cut < SET_S for cut in cuts)
    assert town.minted_units() == (300_000_000 if held else 0)
    town.close()


def test_a_vat_holds_milk_again_after_its_meter_was_set():
    """The next half hour is over before it drains: in the new unit."""
    again = Pour(4_100, 60, 1_000)
    town = VatTown(VatStory(fills=(), drains=(DRAINED, again), cold=()))
    set_anew(town, Unit.MICROLITRE, 1_000)
    town.windows(SET_S - 10, SET_S + 10, 3_000)
    assert town.minted_units() == (300_000 + 60_000) * 1_000


@pytest.mark.parametrize("stands", [200_000_000, 200_000, 0, 7])
@pytest.mark.parametrize("cuts", [(), (100, 300), (100, 180, 190, 200, 210, 230), (201, 202, 260)])
def test_a_line_goes_on_when_its_meter_is_set_to_another_unit(stands, cuts):
    """Whether its total is told anew in it or not; no longer than the window that sees it."""
    town = Cheat(litres=(300, 300, 300))
    town.good(*town.line.devices, begin=0, end=200)
    flow = town.line.of(FLOW)
    flow.unit = Unit.MICROLITRE
    town.good(*(each for each in town.line.devices if each is not flow), begin=201, end=900)
    flow.measure([(at * 1_000, stands + (at - 200) * 1_000_000) for at in range(201, 901)])
    for until in (*cuts, 400, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    # A window that saw both counts what was told in the old one.
    assert 600_000_000 < town.minted_units() <= 870_000_000
    town.close()


def test_where_all_attestors_lie_no_step_counts_in_another_unit():
    """A litre of a meter that tells millilitres is a thousand steps, whatever is told later."""
    town = Cheat()
    town.good(*town.line.devices, begin=0, end=200)
    assert town.mint(town.signed(town.claim(100))) == ""
    claim = town.signed(town.claim(150))
    flow = town.line.of(FLOW)
    [shown] = [each for each in claim.devices if each.device == flow.public]
    place = flow.envelopes.index(shown.end)
    other = town.resign(flow, place, unit=Unit.CENTIPOUND)
    assert town.mint(showing(claim, flow.public, end=other)) == "bad_reading"


def through_s(town):
    """Give up to which second the line was claimed."""
    line = LINES.get(town.state, town.line.line_id)
    return (line.through_ms - START_MS) // 1_000


@pytest.mark.parametrize("step_s", [60, 13])
def test_a_meter_that_is_set_anew_again_and_again_hides_flow_thrice(step_s):
    """What flows in a window that sees another unit has no fate: as where a journal is lost."""
    town = Cheat(litres=(300, 300, 300))
    flow, total, at = town.line.of(FLOW), 0, 0
    others = [each for each in town.line.devices if each is not flow]
    for unit in (Unit.MILLILITRE, Unit.MICROLITRE) * 2:
        flow.unit = unit
        until = at + 300
        town.good(*others, begin=at, end=until)
        flow.measure([(each * 1_000, total + each - at) for each in range(at, until + 1)], 60)
        total, at = total + 300, until
    stopped = []
    while town.mint(town.signed(town.claim(step_s + through_s(town)))) == "":
        stopped.append(DEVICES.get(town.state, flow.public).stopped_ms < FOR_EVER_MS)
        if through_s(town) > at - 120:
            break
    assert stopped[-1], "the third within 30 days stopped it"
    assert not stopped[700 // step_s], "two did not"


def test_a_window_ends_with_the_first_sample_in_a_unit_that_is_told_but_shortly():
    """Its meter is set back before the margin is over: the sample is one all the same."""
    town = Cheat(litres=(300, 300, 300))
    flow = town.line.of(FLOW)
    town.good(*(each for each in town.line.devices if each is not flow), begin=0, end=400)
    for unit, begin, end in ((None, 0, 201), (Unit.MICROLITRE, 201, 221), (None, 221, 401)):
        flow.unit, flow.carried = unit, None
        per_s = 1_000_000 if unit else 1_000
        flow.measure([(at * 1_000, (at - begin) * per_s) for at in range(begin, end)])
    for until in (100, 201, 221, None):
        assert town.mint(town.signed(town.claim(until))) == ""
    assert town.minted_units() == (200 + 19 + 150) * 1_000_000
