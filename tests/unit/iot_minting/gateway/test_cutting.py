"""When a line's window is cut, of what, and for which milk; what it waits for meanwhile."""

import pytest
from msgspec.structs import replace

from iot_minting.gateway.cutting import CutWindow, LineNow, Tampering, WindowRules, cut_window
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.pieces import Piece
from ledger.evidence import check_window
from ledger.params import HOUR_MS, MARGIN_MS
from ledger.types.evidence import Instrument, MilkKind
from tests.support.evidence.rig import START_MS, LineRig, good_value

LITRE = 1_000_000
MINUTE = 60_000
PLENTY = (TankMilk(START_MS - HOUR_MS, START_MS, 10**12),)
RULES = WindowRules(MilkKind.WHOLE, MINUTE, 5 * MINUTE, 5 * MINUTE, 10_000)
GAUGED = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)
FLOW, HOLD = Instrument.FLOW_METER, Instrument.HOLD_THERMOMETER


def look(rig, rules=RULES, tank=PLENTY, *, quiet=(), short_ms=0):
    pieces = {
        key: [Piece.of(each, 0) for each in envelopes] for key, envelopes in rig.bundle().items()
    }
    quiet_ms = {rig.of(kind).public: rules.silence_ms for kind in quiet}
    found = cut_window(LineNow(rig.facts, pieces, tank, quiet_ms, short_ms), rules)
    if isinstance(found, CutWindow):
        check_window(rig.facts, found.claim, found.bundle)
    return found


def drain(rig, rules=RULES, **how):
    """Claim window after window; give the claims."""
    claims = []
    while isinstance(found := look(rig, rules, **how), CutWindow):
        claims.append(found.claim)
        rig.accept(found.claim)
    return claims


def good_run(seconds, **how):
    rig = LineRig()
    rig.run(seconds, **how)
    return rig


def test_a_window_is_cut_once_it_is_long_enough_and_heard_past_its_end():
    young = good_run((MINUTE + MARGIN_MS) // 1_000 - 1)
    assert look(young).reason == "young"
    ripe = good_run((MINUTE + MARGIN_MS) // 1_000)
    claim = look(ripe).claim
    assert (claim.to_ms, claim.units) == (START_MS + MINUTE, 60 * LITRE)


def test_any_cutting_counts_the_same():
    whole = drain(good_run(600), WindowRules(MilkKind.WHOLE, 500_000, MINUTE, MINUTE, 10_000))
    for window_ms in (1_000, 7_000, 61_000, 200_000):
        parts = drain(good_run(600), WindowRules(MilkKind.WHOLE, window_ms, MINUTE, MINUTE, 10_000))
        assert sum(each.counted_steps for each in parts) == whole[0].counted_steps
        assert len(parts) >= 1


def test_a_window_of_too_many_envelopes_is_cut_early_and_in_parts():
    rules = WindowRules(MilkKind.WHOLE, HOUR_MS, MINUTE, MINUTE, 120)
    rig = good_run(600)
    claims = drain(rig, rules)
    assert len(claims) >= 2
    assert all(each.readings_count <= 120 for each in claims)


def test_a_window_of_too_many_intervals_is_cut_in_parts():
    def value(instrument, at):
        stopped = instrument is Instrument.DIVERSION_VALVE and at % 5_000 == 0
        return 0 if stopped else good_value(instrument, at)

    rig = good_run(800, value=value)
    claims = drain(rig)
    assert all(len(each.intervals) <= 64 for each in claims)
    assert len(claims) >= 2
    assert sum(len(each.intervals) for each in claims) > 100


def test_a_device_that_says_nothing_is_waited_for_and_named():
    rig = good_run(10)
    for device in rig.devices:
        if device.instrument is not HOLD:
            device.measure(
                [(at, good_value(device.instrument, at)) for at in range(11_000, 200_000, 1_000)]
            )
    waits = look(rig)
    assert (waits.reason, "hold_thermometer" in waits.detail) == ("silent", True)
    claim = look(rig, quiet=[HOLD]).claim
    assert claim.to_ms == START_MS + 199_000 - MARGIN_MS
    assert [each.silent for each in claim.devices].count(True) == 1
    assert claim.counted_steps == 0, "it was not heard long enough before its end"


def test_a_plant_that_is_off_is_claimed_as_far_as_it_was_heard():
    rig = good_run(100)
    everyone = [device.instrument for device in rig.devices]
    assert look(rig, quiet=everyone).claim.counted_steps == 100_000 - MARGIN_MS
    drain(rig)
    assert look(rig, quiet=everyone).reason == "silent"


def test_a_silent_flow_meter_is_named():
    rig = good_run(100)
    drain(rig)
    rig.of(FLOW).envelopes.clear()
    assert "flow" in look(rig).detail


def test_a_line_that_was_never_heard_waits():
    assert look(LineRig()).reason == "unheard"


def test_a_lost_journal_ends_a_window_and_the_next_begins_with_the_new_chain():
    rig = good_run(100)
    rig.of(HOLD).restart(lost=True)
    rig.run(100, begin_ms=101_000)
    rig.run(300, begin_ms=202_000)
    claims = drain(rig, WindowRules(MilkKind.WHOLE, 150_000, MINUTE, MINUTE, 10_000))
    assert claims[0].to_ms == START_MS + 100_000 - MARGIN_MS
    assert [each.broken for each in claims[1].devices].count(True) == 1
    assert claims[1].counted_steps > 0
    assert claims[-1].to_ms == START_MS + 502_000 - MARGIN_MS


def test_tampering_is_reported_before_a_window_is_claimed():
    rig = good_run(100)
    envelope = rig.of(HOLD).sign([(101_000, 75_000)], tamper=True)
    rig.run(200, begin_ms=102_000)
    assert look(rig) == Tampering(envelope)


@pytest.mark.parametrize(("admitted_s", "told"), [(-3_600, True), (-99, False)])
def test_tampering_that_no_window_has_to_show_is_reported_all_the_same(admitted_s, told):
    """It was before the first window, of a device that was relied on already, or was not yet."""
    rig = LineRig()
    record = rig.records[rig.of(HOLD).public]
    admitted = replace(record, calibrated_from_ms=START_MS + admitted_s * 1_000)
    rig.records[rig.of(HOLD).public] = admitted
    opened = rig.of(HOLD).sign([(-110_000, 75_000), (-100_000, 75_000)], tamper=True)
    rig.run(100)
    found = look(rig)
    assert (found == Tampering(opened)) is told
    assert told or found.claim.units > 0


def test_a_foreign_chain_is_told_and_harms_nothing():
    rig = good_run(100)
    drain(rig)
    rig.run(300, begin_ms=101_000)
    del rig.of(HOLD).envelopes[10]
    rig.tips[rig.of(HOLD).public] = rig.tips[rig.of(FLOW).public]
    assert look(rig).reason == "broken_link"


def test_milk_that_is_not_collected_yet_is_waited_for_and_then_left():
    rig = good_run(100)
    tank = (TankMilk(START_MS - HOUR_MS, START_MS - 1, 30 * LITRE),)
    waits = look(rig, tank=tank)
    assert (waits.reason, waits.short) == ("short_tank", True)
    claim = look(rig, tank=tank, short_ms=RULES.milk_ms).claim
    assert (claim.units, claim.counted_steps) == (30 * LITRE, 30_000)
    assert claim.lost_steps == 100_000 - MARGIN_MS - 30_000


def test_without_milk_a_window_moves_on_and_counts_nothing():
    claim = look(good_run(100), tank=(), short_ms=RULES.milk_ms).claim
    assert (claim.units, claim.intervals) == (0, ())


def test_milk_that_came_during_an_interval_counts_from_then_on():
    rig = good_run(100)
    tank = (
        TankMilk(START_MS - 10, START_MS - 1, 20 * LITRE),
        TankMilk(START_MS, START_MS + 10_000, 500 * LITRE),
    )
    claim = look(rig, tank=tank).claim
    assert claim.counted_steps == 100_000 - MARGIN_MS
    first, second = claim.intervals
    assert (first.steps, first.to_ms, second.from_ms) == (20_000, START_MS + 20_000, first.to_ms)


def test_milk_metered_after_it_flowed_never_counts():
    rig = good_run(100)
    late = (TankMilk(START_MS, START_MS + 50_000, 500 * LITRE),)
    claim = look(rig, tank=late, short_ms=RULES.milk_ms).claim
    assert claim.intervals[0].from_ms >= START_MS + 50_000
    assert claim.counted_steps == 50_000 - MARGIN_MS


def test_milk_that_is_too_old_is_not_drawn():
    rig = good_run(100)
    age_ms = rig.rules.collection_age_ms_max
    old = (TankMilk(START_MS - age_ms, START_MS - age_ms + 1, 500 * LITRE),)
    assert look(rig, tank=old, short_ms=RULES.milk_ms).claim.units == 0


@pytest.mark.parametrize("missing", [1, 999, 1_000, 1_001])
def test_what_is_drawn_is_never_more_than_there_is(missing):
    rig = good_run(100)
    full = (100_000 - MARGIN_MS) * 1_000
    tank = (TankMilk(START_MS - 10, START_MS - 1, full - missing),)
    claim = look(rig, tank=tank, short_ms=RULES.milk_ms).claim
    assert full - missing - 1_000 < claim.units <= full - missing


def test_a_window_ends_where_its_milk_does_if_it_is_long_enough():
    rig = good_run(200)
    tank = (TankMilk(START_MS - 10, START_MS - 1, 90 * LITRE),)
    claim = look(rig, tank=tank).claim
    assert (claim.units, claim.lost_steps) == (90 * LITRE, 0)
    assert claim.to_ms == START_MS + 90_000


def test_water_that_no_gauge_saw_leave_is_cleaning():
    rig = LineRig(*GAUGED)

    def value(kind, at_ms):
        return {HOLD: 20_000, Instrument.TANK_GAUGE: 5_000_000}.get(kind, good_value(kind, at_ms))

    rig.run(100, value=value)
    claim = look(rig).claim
    assert (claim.cleaning_steps, claim.lost_steps) == (100_000 - MARGIN_MS, 0)


def switched_on(seconds, flows_ms):
    """Make a line that was switched on long after it was registered, and milk that flows later."""

    def value(instrument, at):
        return max(0, at - flows_ms) if instrument is FLOW else good_value(instrument, at)

    rig = LineRig()
    rig.run(seconds, begin_ms=HOUR_MS, value=value)
    return rig


def test_a_line_that_was_just_switched_on_waits_for_its_first_milk_and_no_longer():
    before = MARGIN_MS // 1_000
    assert look(switched_on(before + 30, 2 * HOUR_MS)).reason == "young"
    first = look(switched_on(before + 30, HOUR_MS + 20_000)).claim
    assert (first.to_ms, first.units) == (START_MS + HOUR_MS + 30_000, 10 * LITRE)
    idle = look(switched_on(before + 60, 2 * HOUR_MS)).claim
    assert (idle.to_ms, idle.units) == (START_MS + HOUR_MS + 60_000, 0)


def test_a_first_window_is_not_cut_to_nothing_for_milk_that_is_not_collected_yet():
    rig = switched_on(MARGIN_MS // 1_000 + 30, HOUR_MS + 20_000)
    assert look(rig, tank=()).reason == "short_tank"


def test_only_the_first_window_waits_for_milk():
    rig = switched_on(MARGIN_MS // 1_000 + 60, 2 * HOUR_MS)
    rig.accept(look(rig).claim)
    rig.run(MINUTE // 1_000, begin_ms=HOUR_MS + MARGIN_MS + MINUTE + 1_000, value=lambda *_: 0)
    assert look(rig).claim.units == 0


def test_a_new_line_whose_flow_meter_spoke_too_late_and_no_more_has_no_window():
    rig = good_run(100)
    rig.of(FLOW).envelopes.clear()
    rig.of(FLOW).restart(lost=True)
    rig.of(FLOW).measure([(100_000, 0)])
    assert look(rig, quiet=[FLOW]).reason == "silent"
