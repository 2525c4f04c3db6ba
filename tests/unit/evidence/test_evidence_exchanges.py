"""Flow meters that leave, are exchanged, or fall silent: the line goes on."""

from msgspec.structs import replace

from ledger.evidence import (
    check_window,
    claim_window,
    reach,
    trim_bundle,
)
from ledger.params import MARGIN_MS
from ledger.state.lines import LineDevice
from ledger.types.evidence import Instrument, MilkKind
from tests.support.evidence.rig import START_MS, LineRig, good_value
from tests.support.evidence.windows import claim_all

MILLILITRE = 1_000
MINUTE = 60_000
FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)


def exchanged_flow_meter() -> LineRig:
    """Let one flow meter leave after a minute, and another, which counted before, take over."""
    rig = LineRig(FLOW, FLOW, HOLD, OUTLET, VALVE)
    old, new = rig.devices[:2]
    for device in rig.devices:
        times = range(0, 61_001 if device is old else 150_001, 1_000)
        offset = 7_000_000 if device is new else 0
        device.measure([(at, offset + good_value(device.instrument, at)) for at in times])
    left_ms = START_MS + 60_500
    spans = {old.public: (START_MS, left_ms), new.public: (left_ms, 2**53)}
    devices = tuple(
        LineDevice(each.device, *spans.get(each.device, (each.from_ms, each.until_ms)))
        for each in rig.line.devices
    )
    rig.line = replace(rig.line, devices=devices)
    return rig


def test_an_exchanged_flow_meter_hands_over_and_its_own_past_is_no_loss() -> None:
    rig = exchanged_flow_meter()
    old = rig.devices[0].public
    assert reach(rig.facts, rig.bundle()) < START_MS + 60_500
    end_ms = reach(rig.facts, rig.bundle(), {old})
    assert end_ms == START_MS + 60_500
    first = claim_window(rig.facts, rig.bundle(), MilkKind.WHOLE, end_ms, silent={old})
    check_window(rig.facts, first, trim_bundle(rig.facts, rig.bundle(), first))
    rig.accept(first)
    second = claim_all(rig)
    assert second.to_ms == START_MS + 150_000 - MARGIN_MS
    # The step that was under way when it took over, and no more.
    assert second.lost_steps == 1_000


def test_what_a_lines_first_flow_meter_counted_elsewhere_is_no_loss() -> None:
    rig = LineRig()
    flow = rig.of(FLOW).public
    came_ms = START_MS + 60_000
    rig.line = replace(
        rig.line,
        devices=tuple(
            replace(each, from_ms=came_ms) if each.device == flow else each
            for each in rig.line.devices
        ),
    )
    for device in rig.devices:
        device.measure([(at, good_value(device.instrument, at)) for at in range(0, 120_001, 1_000)])
    claim = claim_all(rig)
    assert claim.counted_steps + claim.lost_steps == claim.to_ms - came_ms


def test_a_silent_flow_meter_does_not_hold_its_line() -> None:
    rig = LineRig()
    flow = rig.of(FLOW)
    for device in rig.devices:
        times = range(0, 30_001 if device is flow else 120_001, 1_000)
        device.measure([(at, good_value(device.instrument, at)) for at in times])
    end_ms = reach(rig.facts, rig.bundle(), {flow.public})
    assert end_ms == START_MS + 120_000 - MARGIN_MS
    claim = claim_window(rig.facts, rig.bundle(), MilkKind.WHOLE, end_ms, silent={flow.public})
    check_window(rig.facts, claim, trim_bundle(rig.facts, rig.bundle(), claim))
    assert claim.intervals[-1].to_ms <= START_MS + 30_000 - MARGIN_MS
    everyone = {device.public for device in rig.devices}
    assert reach(rig.facts, rig.bundle(), everyone) == START_MS
