"""A vat whose hold and drain stand in several windows: what one window hides from the next."""

import pytest
from msgspec.structs import replace

from ledger.heat_rules import HeatRuleSet
from ledger.params import CLOCKS_MS, HOUR_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.state.lines import FOR_EVER_MS
from ledger.state.tables import DEVICES, PARAMETERS, parameters
from ledger.types.evidence import MilkKind
from ledger.types.reading import Unit
from tests.support.evidence.vats import DAY_S, FLOW, GAUGE, HOLD, Pour, Silence, VatStory
from tests.support.ledger.dairy import key
from tests.support.ledger.vats import VatTown
from tests.support.ledger.window import START_MS

HELD_S, HALF_S = 1_850, 1_990
"""In the first hold's rest, and where half of its milk has drained."""
WHOLE = 360_000
"""What drains of each of two holds."""
FILL, DRAIN, AGAIN = Pour(2_200, 40, 9_000), Pour(1_900, 180, 2_000), Pour(4_100, 180, 2_000)
RAW = VatStory(drains=(DRAIN, Pour(2_300, 180, 2_000)))
"""Filled again, and drained at once."""


@pytest.mark.parametrize(
    "cuts", [(), (900,), (HELD_S,), (HALF_S,), (900, HELD_S, HALF_S, 2_100, 3_000, 4_090, 4_200)]
)
def test_hold_and_drain_may_stand_in_any_windows(cuts):
    town = VatTown(VatStory())
    assert town.windows(*cuts) == 2 * WHOLE
    town.close()


@pytest.mark.parametrize("cut", [HALF_S, 2_100, 2_230, 2_290])
def test_one_hold_serves_one_drain_however_it_is_cut(cut):
    """Drained, filled with raw milk, drained again: the first alone was held."""
    assert VatTown(RAW).windows(cut) == WHOLE


@pytest.mark.parametrize("cut", [HELD_S, 1_930, HALF_S])
def test_raw_milk_on_top_between_windows_ends_the_drain(cut):
    story = VatStory(fills=(Pour(cut + 1, 2, 5_000), FILL), drains=(DRAIN,))
    drained = (cut + 1 - 1_900) * 2_000
    assert drained - 4_000 <= VatTown(story).windows(cut) <= max(0, drained)


def test_raw_milk_that_creeps_in_ends_the_drain():
    """A millilitre a second, less than a step at each of its samples, for three minutes."""
    story = VatStory(fills=(Pour(1_820, 60, 1), FILL), drains=(DRAIN,), level_every_s=2)
    assert VatTown(story).windows(1_840, 1_860, 1_880) == 0


@pytest.mark.parametrize("cuts", [(), (HELD_S, HALF_S)])
def test_a_gauge_that_is_unquiet_by_a_step_loses_nothing(cuts):
    assert VatTown(VatStory(unrest_ml=1)).windows(*cuts) == 2 * WHOLE


def test_a_vat_gives_no_more_than_it_holds_over_all_its_windows():
    town = VatTown(VatStory(drains=(DRAIN, AGAIN)), vat_ml=300_000)
    assert town.windows(HELD_S, HALF_S, 2_040) == 2 * 300_000


def test_a_hold_three_days_old_drains_nothing():
    town = VatTown(VatStory(drains=()))
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    assert town.registered().vat.may_drain
    later_s = DAY_S + 3 * 24 * 3_600
    for device in town.line.devices:
        value = 40_000 if device.instrument is HOLD else town.day.value(device.instrument, 0)
        if device.instrument is GAUGE:
            value = town.day.levels[-1]
        times = range(DAY_S, later_s, 60)
        device.measure([(at * 1_000, value) for at in times], size=60)
        drained = [(at, max(0, at - later_s - 10)) for at in range(later_s, later_s + 200)]
        device.measure(
            [(at * 1_000, _draining(device.instrument, value, out)) for at, out in drained]
        )
    town.time_ms = START_MS + (later_s + 200) * 1_000
    claim = town.signed(town.claim())
    assert (claim.counted_steps, claim.vat) == (0, None)
    assert claim.lost_steps > 100_000


def _draining(kind, value, litres):
    return {FLOW: value + litres * 1_000, GAUGE: value - litres * 1_000}.get(kind, value)


def test_four_hours_after_it_was_hot_a_vat_drains_no_more():
    town = VatTown(VatStory())
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    line = town.registered()
    older = replace(line.vat, hot_ms=line.vat.hot_ms - 4 * HOUR_MS + 100_000, still_ms=0)
    town.amend(vat=older)
    claim = town.until(2_100)
    assert 0 < claim.counted_steps < WHOLE


@pytest.mark.parametrize(("length_s", "counts"), [(80, WHOLE), (120, 0)])
def test_a_gauge_that_is_silent_between_windows_ends_the_hold(length_s, counts):
    silence = Silence(GAUGE, 1_810, length_s)
    story = VatStory(drains=(DRAIN,), silences=(silence,))
    whole, cut = VatTown(story), VatTown(story)
    assert whole.windows() == counts
    assert cut.windows(1_805, 1_850) == counts


def test_a_gauge_that_a_claimant_calls_silent_saw_nothing_for_ever():
    town = VatTown(VatStory(drains=(DRAIN,)))
    gauge = town.line.of(GAUGE)
    whole = gauge.envelopes
    gauge.envelopes = [e for e in whole if e.reading().last_ms < START_MS + HELD_S * 1_000]
    claim = town.signed(town.until(HELD_S, silent=[gauge.public]))
    assert claim.vat is None
    lie = replace(town.until(1_700).vat, hot_ms=claim.to_ms)
    assert town.judged(replace(claim, vat=lie)) == "claim_differs"
    assert town.mint(replace(claim, vat=lie)) == "wrong_vat"
    assert town.mint(claim) == ""
    gauge.envelopes = whole
    assert town.windows(HALF_S) == 0


def test_a_flow_meter_that_a_claimant_calls_silent_may_have_flowed():
    """It goes round while it is held, in a window that calls the flow meter silent."""
    story = VatStory(drains=(Pour(900, 20, 2_000), Pour(1_900, 150, 2_000)), fills=(FILL,))
    town = VatTown(story)
    flow = town.line.of(FLOW)
    whole = flow.envelopes
    flow.envelopes = [e for e in whole if e.reading().last_ms < START_MS + 890_000]
    assert town.mint(town.signed(town.claim(HELD_S, silent=[flow.public]))) == ""
    flow.envelopes = whole
    assert town.windows(HALF_S) == 0


@pytest.mark.parametrize("at_s", [1_000, HELD_S, HALF_S])
def test_a_gauge_that_takes_over_begins_another_hold(at_s):
    """What the first saw when it was full, the second can't compare with."""
    town = VatTown(VatStory(drains=(DRAIN,), spare=GAUGE))
    old, new = (each for each in town.line.devices if each.instrument is GAUGE)
    at_ms = START_MS + at_s * 1_000
    town.stand(old, START_MS, at_ms)
    town.stand(new, at_ms, FOR_EVER_MS)
    drained = max(0, at_s - 1_900) * 2_000
    assert drained - 4_000 <= town.windows(at_s - 300, at_s + 50) <= drained


@pytest.mark.parametrize("kind", [FLOW, HOLD, GAUGE])
def test_a_journal_that_is_lost_between_windows_ends_the_hold(kind):
    town = VatTown(VatStory(drains=(DRAIN,)))
    device = town.line.of(kind)
    first = [e for e in device.envelopes if e.reading().last_ms <= START_MS + 2_000_000]
    rest = [
        (reading.t0_ms + offset - START_MS, value)
        for reading in (each.reading() for each in device.envelopes[len(first) :])
        for offset, value in reading.samples[1:]
    ]
    device.envelopes = list(first)
    device.restart(lost=True)
    # Dated back: it saw, so it says, all that the last window left open.
    device.measure([(HELD_S * 1_000 - 60_000, rest[0][1]), *rest], size=60)
    broken = device.envelopes
    device.envelopes = first
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    assert town.registered().vat.may_drain
    tip = town.line.tip(town.state, device.public)
    device.envelopes = [*first[: tip.seq + 1], *broken[len(first) :]]
    claim = town.signed(town.claim())
    assert (claim.counted_steps, claim.lost_steps > 0) == (0, True)
    assert town.mint(claim) == ""


def test_milk_of_a_kind_that_needs_more_heat_was_not_held_for_it():
    town = VatTown(VatStory(drains=(DRAIN,)))
    rules = replace(parameters(town.state), heat_rules=HeatRuleSet.US_PMO)
    PARAMETERS.put(town.state, rules)
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    flavoured, plain = town.until(2_100, kind=MilkKind.FLAVOURED), town.until(2_100)
    assert town.judged(flavoured) == ""
    assert (flavoured.counted_steps, flavoured.vat) == (0, None)
    assert town.mint(replace(plain, kind=MilkKind.FLAVOURED)) == "wrong_vat"
    assert (town.mint(plain), plain.counted_steps) == ("", WHOLE)


def test_what_a_claim_says_of_its_vat_is_what_its_readings_say():
    town = VatTown(VatStory())
    claim = town.signed(town.until(HELD_S))
    for wrong in (
        None,
        replace(claim.vat, hot_ms=0),
        replace(claim.vat, still_ms=claim.vat.still_ms + 1),
        replace(claim.vat, drained_steps=1),
    ):
        assert town.judged(replace(claim, vat=wrong)) == "claim_differs"


def test_what_a_gauge_lags_behind_is_bounded():
    """Raw milk that flows in as fast as the vat drains, from half of it on."""
    topped = Pour(HALF_S, 90, 2_000)
    story = VatStory(fills=(topped,), drains=(DRAIN,))
    town = VatTown(story)
    counted = town.windows(HELD_S, HALF_S + 3)
    honest = (HALF_S - 1_900) * 2_000
    assert honest <= counted <= honest * 101 // 100 + 2_000 * CLOCKS_MS // 1_000 + 4_000


def test_a_gauge_that_takes_over_within_a_window_begins_another_hold():
    town = VatTown(VatStory(drains=(DRAIN,), spare=GAUGE))
    old, new = (each for each in town.line.devices if each.instrument is GAUGE)
    at_ms = START_MS + HELD_S * 1_000
    town.stand(old, START_MS, at_ms)
    town.stand(new, at_ms, FOR_EVER_MS)
    assert town.windows() == 0


def test_a_gauge_that_is_gone_when_the_next_window_begins_takes_the_hold_with_it():
    town = VatTown(VatStory(drains=(DRAIN,), spare=GAUGE))
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    gone = town.line.devices.pop().public
    devices = tuple(each for each in town.registered().devices if each.device != gone)
    town.amend(devices=devices)
    assert town.windows() == 0


def test_what_left_before_a_hold_began_is_not_missed_by_it():
    town = VatTown(VatStory(spare=GAUGE))
    old = town.line.devices[-1]
    town.stand(old, START_MS, START_MS + 1_000_000)
    assert town.windows(2_100, 3_000, HALF_S + 2_200) == WHOLE


def test_another_flow_meter_is_not_known_to_have_stood_still():
    town = VatTown(VatStory(drains=(DRAIN,)))
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    town.amend(flow_device=key("another meter").public)
    assert town.windows(HALF_S) == 0


def test_a_gauge_that_is_stopped_after_the_hold_was_told_of_takes_it_back():
    town = VatTown(VatStory(drains=(DRAIN,)))
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    device = town.line.of(GAUGE).public
    record = DEVICES.get(town.state, device)
    DEVICES.put(town.state, replace(record, stopped_ms=START_MS + 1_000_000), device)
    claim = town.signed(town.until(2_100))
    assert (claim.counted_steps, claim.vat) == (0, None)


def test_a_flow_meter_that_measured_nothing_for_a_while_may_have_flowed():
    town = VatTown(VatStory(drains=(DRAIN,)))
    flow = town.line.of(FLOW)
    samples = town.day.samples(FLOW)
    flow.envelopes.clear()
    flow.seq, flow.previous, flow.carried = 0, ZERO_HASH, None
    flow.measure(samples[:500], 60)
    town.odd(flow, [samples[500]], unit=Unit.FLAG.value)
    flow.carried = None
    flow.measure(samples[501:], 60)
    assert town.windows(HELD_S) == 0


def test_half_an_hour_more_renews_how_long_milk_may_stand():
    """Nothing is told between the end of its half hour and that of its four hours."""
    town = VatTown(VatStory(drains=(DRAIN,), level_every_s=70))
    assert town.mint(town.signed(town.until(HELD_S))) == ""
    vat = town.registered().vat
    older = replace(vat, hot_ms=vat.hot_ms - 4 * HOUR_MS + 10_000)
    town.amend(vat=replace(older, still_ms=0))
    assert town.until(2_100).counted_steps == 0
    town.amend(vat=older)
    assert town.until(2_100).counted_steps == WHOLE
