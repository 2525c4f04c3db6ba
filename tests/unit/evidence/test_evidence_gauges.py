"""A tank's gauge that is on duty is heard, or nothing counts."""

import pytest
from msgspec.structs import replace

from ledger.errors.bundle import UnheardDevice
from ledger.evidence import check_window, claim_window, trim_bundle
from ledger.params import MARGIN_MS
from ledger.types.evidence import Instrument, MilkKind
from ledger.types.window import WindowClaim
from tests.support.evidence.rig import START_MS, LineRig, good_value

FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)


def claim_all(rig: LineRig, to_ms: int, **freedom: object) -> WindowClaim:
    facts, bundle = rig.facts, rig.bundle()
    end_ms = START_MS + to_ms
    claim = claim_window(facts, bundle, MilkKind.WHOLE, end_ms, **freedom)  # type: ignore[arg-type]
    check_window(facts, claim, trim_bundle(facts, bundle, claim))
    return claim


def gauged(every_ms: int, until_ms: int = 360_001) -> LineRig:
    """Let a line with a tank's gauge run for six minutes; the gauge speaks more seldom."""
    rig = LineRig(FLOW, HOLD, OUTLET, VALVE, GAUGE)
    for device in rig.devices:
        spoke = (0, until_ms, every_ms) if device.instrument is GAUGE else (0, 360_001, 1_000)
        device.measure([(at, good_value(device.instrument, at)) for at in range(*spoke)], 1)
    return rig


def test_a_gauge_is_heard_once_a_minute_or_nothing_counts() -> None:
    whole = claim_all(gauged(1_000), 240_000).counted_steps
    assert whole == 240_000
    assert claim_all(gauged(60_000), 240_000).counted_steps == whole
    assert claim_all(gauged(90_000), 240_000).counted_steps == whole
    assert claim_all(gauged(90_001), 240_000).counted_steps == 0


def test_a_gauge_called_silent_counts_nothing_after_its_last_word() -> None:
    rig = gauged(60_000, 180_001)
    gauge = rig.of(GAUGE).public
    with pytest.raises(UnheardDevice):
        claim_all(rig, 240_000)
    claim = claim_all(rig, 240_000, silent={gauge})
    assert claim.intervals[-1].to_ms - START_MS == 151_000 == 180_000 - MARGIN_MS
    rig.accept(claim)
    assert claim_all(rig, 300_000, silent={gauge}).counted_steps == 0


def test_a_gauge_that_was_never_heard_is_not_missed() -> None:
    assert claim_all(gauged(1_000, 0), 240_000).counted_steps == 240_000


def test_a_gauge_may_show_what_it_likes() -> None:
    rig = LineRig(FLOW, HOLD, OUTLET, VALVE, GAUGE)
    rig.run(120, value=lambda kind, at: -5 if kind is GAUGE else good_value(kind, at))
    assert claim_all(rig, 60_000).counted_steps == 60_000


def test_a_stopped_gauge_counts_nothing() -> None:
    rig = gauged(1_000)
    gauge = rig.of(GAUGE).public
    rig.records[gauge] = replace(rig.records[gauge], stopped_ms=START_MS + 100_000)
    assert claim_all(rig, 240_000).intervals[-1].to_ms < START_MS + 100_000
