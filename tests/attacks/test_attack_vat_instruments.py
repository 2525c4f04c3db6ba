"""A vat's instruments that leave, creep or hide: what each can be made to say of a hold."""

import dataclasses

import pytest

from ledger.params import CLOCKS_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import FOR_EVER_MS
from ledger.types.reading import Unit
from tests.support.evidence.rig import DeviceRig, Samples
from tests.support.evidence.vats import FLOW, GAUGE, Pour, VatStory
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

HELD_S = 1_850
"""In the first hold's rest."""
WHOLE = 360_000
"""What drains of each of two holds."""
FILL, DRAIN = Pour(2_200, 40, 9_000), Pour(1_900, 180, 2_000)
PARTS = (Pour(1_900, 60, 2_000), Pour(2_100, 60, 2_000))
"""A drain in two parts: at rest between them the flow has caught up with the level."""
STORIES = (
    (VatStory(drains=(DRAIN,)), WHOLE),
    (VatStory(fills=(), drains=(DRAIN,)), WHOLE),
    (VatStory(fills=(), drains=PARTS), 2 * 120_000),
)


def begin_anew(device: DeviceRig, samples: Samples) -> None:
    """Let a device have measured nothing but this."""
    device.envelopes.clear()
    device.seq, device.previous, device.carried = 0, ZERO_HASH, None
    device.measure(samples, 60)


def test_a_flow_meter_that_measured_nothing_as_the_half_hour_was_over_may_have_flowed():
    """What it hid began before the half hour was over, and it shows the rest of that flow."""
    town = VatTown(VatStory(drains=(DRAIN,)))
    flow, samples = town.line.of(FLOW), town.day.samples(FLOW)
    begin_anew(flow, [each for each in samples if each[0] < 1_700_000])
    hidden = [each for each in samples if 1_700_000 <= each[0] < 1_950_000]
    for begin in range(0, len(hidden), 60):
        # From the last of the one before on: nothing is seen between them either.
        town.odd(flow, hidden[max(0, begin - 1) : begin + 60], unit=Unit.FLAG.value)
    flow.carried = None
    flow.measure([each for each in samples if each[0] >= 1_950_000], 60)
    assert town.windows() == 0


def test_a_flow_meter_that_comes_back_late_may_have_flowed_until_then():
    """One reading that measures nothing, then silence: its total may be another's."""
    town = VatTown(VatStory(fills=(), cold=(), drains=(Pour(2_850, 180, 2_000),)))
    flow, samples = town.line.of(FLOW), town.day.samples(FLOW)
    begin_anew(flow, [each for each in samples if each[0] < 1_000_000])
    town.odd(flow, [next(each for each in samples if each[0] >= 1_000_000)], unit=Unit.FLAG.value)
    flow.carried = None
    flow.measure([each for each in samples if each[0] >= 1_090_000], 60)
    assert town.windows() == 0


def test_a_flow_meter_that_lost_its_journal_amid_the_hold_may_have_flowed():
    """Its total is what it was: so it says, who could have set it."""
    town = VatTown(VatStory(fills=(), cold=(), drains=(Pour(2_500, 180, 2_000),)))
    flow, samples = town.line.of(FLOW), town.day.samples(FLOW)
    assert town.mint(town.signed(town.until(600))) == ""
    tip = town.line.tip(town.state, flow.public)
    shown = flow.envelopes[: tip.seq + 1]
    flow.envelopes.clear()
    flow.restart(lost=True)
    flow.measure([each for each in samples if each[0] >= 900_000], 60)
    flow.envelopes[:0] = shown
    assert town.windows() == 0


def test_a_hold_that_is_over_may_drain_whoever_has_told_anything_since():
    town = VatTown(VatStory(level_every_s=70))
    claim = town.until(1_810)
    assert (claim.vat.may_drain, claim.to_ms < START_MS + 1_820_000) == (True, True)


def test_a_window_within_an_envelope_forgets_nothing_that_crept_in():
    """Two millilitres a window, each as little as unrest; the last window tells of all of them."""
    crept = tuple(Pour(at, 1, 2) for at in (46, 50, 54))
    story = VatStory(fills=(*crept, FILL), drains=(Pour(40, 1, 10), Pour(1_846, 180, 2_000)))
    honest = dataclasses.replace(story, fills=(FILL,))
    cuts = (45, 49, 53, 1_880)
    assert VatTown(honest).windows(*cuts) == WHOLE
    assert VatTown(story).windows(*cuts) == 0


def test_what_a_gauge_shows_that_has_left_is_of_another_vat():
    town = VatTown(VatStory(drains=(DRAIN,), spare=GAUGE))
    old, new = (each for each in town.line.devices if each.instrument is GAUGE)
    town.stand(old, START_MS, START_MS + 90_000)
    town.stand(new, START_MS + 90_000, FOR_EVER_MS)
    begin_anew(old, [(at, value + max(0, at - 90_000)) for at, value in town.day.samples(GAUGE)])
    assert town.windows(HELD_S) == WHOLE


def test_milk_that_flows_while_it_is_held_was_not_held():
    assert VatTown(VatStory(drains=(Pour(900, 20, 2_000), DRAIN))).windows() == 0


def test_raw_milk_that_hides_behind_what_drains_ends_the_drain():
    """A level that rises by two millilitres a second, for less than clocks may be apart."""
    slow = Pour(1_900, 300, 300)
    counted = VatTown(VatStory(fills=(Pour(2_000, 4, 302),), drains=(slow,))).windows()
    assert 90 * 300 <= counted <= 105 * 300


@pytest.mark.parametrize(("story", "whole"), STORIES)
def test_a_gauge_whose_clock_is_ahead_loses_nothing(story, whole):
    town = VatTown(story)
    levels = town.day.samples(GAUGE)
    ahead = [(at, later) for (at, _), (_, later) in zip(levels, levels[3:], strict=False)]
    begin_anew(town.line.of(GAUGE), ahead)
    assert town.windows() == whole


@pytest.mark.parametrize(("story", "whole"), STORIES[1:])
def test_a_gauge_that_shows_less_of_what_drained_than_the_flow_loses_nothing(story, whole):
    """By half of what they may differ by."""
    town = VatTown(story)
    full = town.day.levels[0]
    less = [(at, full - (full - level) * 199 // 200) for at, level in town.day.samples(GAUGE)]
    begin_anew(town.line.of(GAUGE), less)
    assert town.windows() == whole


def test_a_gauge_that_shows_more_than_any_vat_holds_stops_no_line():
    town = VatTown(VatStory(drains=(DRAIN,)))
    begin_anew(town.line.of(GAUGE), [(at, 2**62) for at, _ in town.day.samples(GAUGE)])
    # It stands still while it drains: that is seen as soon as clocks allow.
    assert town.windows(HELD_S) <= 2_000 * CLOCKS_MS // 1_000


@pytest.mark.parametrize("cut", [1_905, 1_950, 2_000, 2_070])
def test_a_gauge_that_tells_a_level_once_a_minute_loses_nothing_as_its_account_begins(cut):
    town = VatTown(VatStory(fills=(), level_every_s=60))
    assert town.windows(cut) == 370_000
