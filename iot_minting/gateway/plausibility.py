"""Plausible values: what an instrument of each kind can show, and how fast it can change.

Pure. A reading outside these limits is refused whole; it stays in the device's chain, so a range
of evidence breaks there. Will not: judge milk (density, fat, freezing point), which is the
laboratory's.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from iot_minting.errors import Implausible
from iot_minting.gateway.types import RegisteredDevice
from ledger.rules.evidence import STREAMS
from ledger.types.evidence import Instrument
from ledger.types.reading import Reading, Unit

MAD_LIMIT: Final = (35, 10)
"""The modified z-score beyond which a value is an outlier: 3.5 (Iglewicz and Hoaglin, 1993)."""

_LITRE: Final = {
    # A litre of milk in steps of each unit; mass at a generous 1 kg.
    Unit.MICROLITRE: 1_000_000,
    Unit.MILLILITRE: 1_000,
    Unit.MILLIGRAM: 1_000_000,
    Unit.GRAM: 1_000,
    Unit.CENTIPOUND: 220,
}

METER_RISE_LITRES_MAX: Final = 1_000
"""Within one envelope a farm's meter counts one milking or a small herd's, never more."""
FLOW_RISE_LITRES_MAX: Final = 50_000
TANK_LITRES_MAX: Final = 500_000
TEMPERATURE_MDEGC: Final = (-5_000, 160_000)
TEMPERATURE_STEP_MDEGC_MAX: Final = 60_000

_RISE_LITRES_MAX: Final = {
    Instrument.MILK_METER: METER_RISE_LITRES_MAX,
    Instrument.FLOW_METER: FLOW_RISE_LITRES_MAX,
}


@dataclass(frozen=True, slots=True)
class Before:
    """What the device's accepted reading before this one ended with."""

    last_ms: int
    last_value: int
    stream: str
    unit: str


def check_plausible(device: RegisteredDevice, reading: Reading, before: Before | None) -> None:
    """Raise `Implausible` for a stream, unit, time or value that such a device can't show."""
    _check_stream(device.kind, reading)
    offsets = [offset for offset, _ in reading.samples]
    if offsets != sorted(offsets):
        raise Implausible("its samples are not in order of time")
    values = [value for _, value in reading.samples]
    if before is not None:
        if reading.t0_ms + offsets[0] < before.last_ms:
            raise Implausible(
                f"it starts at {reading.t0_ms} ms, the one before ended at {before.last_ms} ms"
            )
        if (reading.stream, reading.unit) != (before.stream, before.unit):
            raise Implausible(
                f"{reading.stream} in {reading.unit} after {before.stream} in {before.unit}"
            )
        values.insert(0, before.last_value)
    match device.kind:
        case Instrument.MILK_METER | Instrument.FLOW_METER:
            _check_total(device.kind, Unit(reading.unit), values)
        case Instrument.HOLD_THERMOMETER | Instrument.OUTLET_THERMOMETER:
            _check_temperature(values)
        case Instrument.DIVERSION_VALVE:
            if any(value not in (0, 1) for value in values):
                raise Implausible("a valve is forward (1) or not (0)")
        case Instrument.TANK_GAUGE:
            full = TANK_LITRES_MAX * _LITRE[Unit(reading.unit)]
            if any(not 0 <= value <= full for value in values):
                raise Implausible(f"a tank holds 0 to {TANK_LITRES_MAX} litres")


def find_outliers(values: Sequence[int]) -> list[int]:
    """List the places whose modified z-score (by MAD) is beyond 3.5; none if half are equal.

    0.6745 * |x - median| / MAD > 3.5, in integers.
    """
    if len(values) < 3:
        return []
    middle = _median_twice(values)
    spread = _median_twice([abs(2 * value - middle) for value in values])
    if spread == 0:
        return []
    top, bottom = MAD_LIMIT
    return [
        place
        for place, value in enumerate(values)
        if 6_745 * abs(2 * value - middle) * 2 * bottom > 10_000 * top * spread
    ]


def _median_twice(values: Sequence[int]) -> int:
    """Give twice the median, which is an integer."""
    ranked = sorted(values)
    half = len(ranked) // 2
    return 2 * ranked[half] if len(ranked) % 2 else ranked[half - 1] + ranked[half]


def _check_stream(kind: Instrument, reading: Reading) -> None:
    units = {stream.value: units for stream, units in STREAMS[kind].items()}.get(reading.stream)
    if units is None:
        raise Implausible(f"a {kind} does not measure {reading.stream!r}")
    if reading.unit not in {unit.value for unit in units}:
        raise Implausible(f"{reading.stream} is not measured in {reading.unit!r}")


def _check_total(kind: Instrument, unit: Unit, values: list[int]) -> None:
    if values[0] < 0 or values != sorted(values):
        raise Implausible("a total starts at 0 and never falls")
    litres_max = _RISE_LITRES_MAX[kind]
    if values[-1] - values[0] > litres_max * _LITRE[unit]:
        raise Implausible(
            f"a rise of {values[-1] - values[0]} {unit} in one envelope, "
            f"a {kind} counts at most {litres_max} litres"
        )


def _check_temperature(values: list[int]) -> None:
    low, high = TEMPERATURE_MDEGC
    if any(not low <= value <= high for value in values):
        raise Implausible(f"a temperature outside {low} to {high} mdegC")
    steps = [abs(b - a) for a, b in itertools.pairwise(values)]
    if max(steps, default=0) > TEMPERATURE_STEP_MDEGC_MAX:
        raise Implausible(f"a temperature jumps by {max(steps)} mdegC")
