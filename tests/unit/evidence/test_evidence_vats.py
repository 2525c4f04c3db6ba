"""Vats: what a batch line's readings prove of milk that is heated where it stands."""

from ledger.types.evidence import HeatProcess, Instrument
from tests.support.evidence.rig import LineRig, good_value
from tests.support.evidence.windows import claim_all

FLOW, HOLD, OUTLET, VALVE, GAUGE = (
    Instrument.FLOW_METER,
    Instrument.HOLD_THERMOMETER,
    Instrument.OUTLET_THERMOMETER,
    Instrument.DIVERSION_VALVE,
    Instrument.TANK_GAUGE,
)


def vat(drained_from_ms: int, drained_l: int, *, hot_ms: int = 1_805_000) -> LineRig:
    """Heat a vat of 100 L for a time, then drain it at a litre a second."""

    def value(instrument: Instrument, at_ms: int) -> int:
        flowed = min(max(0, at_ms - drained_from_ms), drained_l * 1_000)
        match instrument:
            case Instrument.FLOW_METER:
                return flowed
            case Instrument.HOLD_THERMOMETER:
                return 63_500 if at_ms <= hot_ms else 40_000
            case Instrument.TANK_GAUGE:
                return 100_000 - min(flowed, 100_000)
            case _:
                return good_value(instrument, at_ms)

    rig = LineRig(
        FLOW,
        HOLD,
        OUTLET,
        VALVE,
        GAUGE,
        process=HeatProcess.BATCH,
        flow_max_l_per_h=0,
        vat_units=100_000_000,
    )
    rig.run(2_100, value=value, size=60)
    return rig


def test_a_vat_counts_what_it_held_once_its_half_hour_is_over() -> None:
    assert claim_all(vat(1_810_000, 90)).counted_steps == 90_000


def test_a_vat_gives_no_more_than_it_holds() -> None:
    assert claim_all(vat(1_810_000, 150)).counted_steps == 100_000


def test_a_vat_that_drains_too_early_or_was_cold_gives_nothing() -> None:
    assert claim_all(vat(1_700_000, 90)).counted_steps == 0
    assert claim_all(vat(1_810_000, 90, hot_ms=1_700_000)).counted_steps == 0
