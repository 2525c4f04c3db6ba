"""Which flow may be called cleaning: such as no gauge saw leave its tank, restless as it is."""

import pytest
from msgspec.structs import replace

from ledger.evidence import claim_window, reach
from ledger.types.evidence import Instrument, MilkKind
from tests.support.evidence.rig import START_MS, LineRig, good_value

GAUGED = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)
LIMIT_ML_A_MINUTE = 10_000 * 1_000 // 60
AGREED_ML = LIMIT_ML_A_MINUTE // 100
"""What a gauge may fall in a minute and stand still by what a tank's account tells."""


def fates(levels: list[int], *, gap: int = 0, stopped_s: int = 10**6) -> tuple[int, int]:
    """Let cold water flow while a gauge shows a level a minute; give what is cleaning, and lost.

    Before its level of number `gap` it forgets what it showed last; it is stopped from a time on.
    """
    rig = LineRig(*GAUGED)
    seconds = 60 * (len(levels) - 1)
    for device in rig.devices:
        if device.instrument is Instrument.TANK_GAUGE:
            shown = [(place * 60_000, level) for place, level in enumerate(levels)]
            device.measure(shown[:gap])
            device.carried = None
            device.measure(shown[gap:])
            continue
        cold = device.instrument is Instrument.HOLD_THERMOMETER
        device.measure(
            [
                (at * 1_000, 20_000 if cold else good_value(device.instrument, at * 1_000))
                for at in range(seconds + 1)
            ]
        )
    gauge = rig.of(Instrument.TANK_GAUGE).public
    stopped_ms = START_MS + stopped_s * 1_000
    rig.records[gauge] = replace(rig.records[gauge], stopped_ms=stopped_ms)
    facts, bundle = rig.facts, rig.bundle()
    to_ms = reach(facts, bundle)
    claim = claim_window(facts, bundle, MilkKind.WHOLE, to_ms, cleaning=True)
    assert claim.counted_steps == 0
    return claim.cleaning_steps, claim.lost_steps


@pytest.mark.parametrize("fall", [0, 1, 2, 1_000, AGREED_ML, AGREED_ML + 2])
def test_a_gauge_that_errs_within_agreement_stands_still(fall: int) -> None:
    cleaned, lost = fates([5_000_000, 5_000_000 - fall, 5_000_000, 5_000_000])
    assert lost == 0
    assert cleaned > 150_000


def test_what_falls_faster_is_lost() -> None:
    cleaned, lost = fates([5_000_000, 5_000_000 - AGREED_ML - 3, 5_000_000, 5_000_000])
    assert lost == 60_000
    assert cleaned > 90_000


def test_milk_that_leaves_is_never_cleaning() -> None:
    cleaned, _ = fates([5_000_000 - 60_000 * minute for minute in range(4)])
    assert cleaned == 0


def test_nobody_knows_a_level_across_a_gap() -> None:
    cleaned, lost = fates([5_000_000] * 5, gap=2)
    assert lost == 60_000
    assert cleaned > 150_000


def test_a_gauge_that_is_stopped_does_not_know_whether_milk_left() -> None:
    """It stands still while a tank is emptied past what was held: that is no cleaning."""
    cleaned, lost = fates([5_000_000] * 5, stopped_s=60)
    assert cleaned < 60_000
    assert lost > 150_000
