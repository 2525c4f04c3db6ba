"""Instruments: what each measures, in which units, and which readings measure it."""

from typing import Final

from ledger.types.evidence import Instrument
from ledger.types.reading import READING_VERSION, Reading, Stream, Unit

_VOLUME: Final = frozenset({Unit.MILLILITRE, Unit.MICROLITRE})
_MASS: Final = frozenset({Unit.GRAM, Unit.MILLIGRAM, Unit.CENTIPOUND})
_DEGREES: Final = frozenset({Unit.MILLIDEGREE})
_TOTALS: Final = {Stream.VOLUME_TOTAL: _VOLUME, Stream.MASS_TOTAL: _MASS}

STREAMS: Final[dict[Instrument, dict[Stream, frozenset[Unit]]]] = {
    Instrument.MILK_METER: _TOTALS,
    Instrument.FLOW_METER: _TOTALS,
    Instrument.TANK_GAUGE: {Stream.TANK_VOLUME: _VOLUME},
    Instrument.HOLD_THERMOMETER: {Stream.HOLD_TEMPERATURE: _DEGREES},
    Instrument.OUTLET_THERMOMETER: {Stream.OUTLET_TEMPERATURE: _DEGREES},
    Instrument.DIVERSION_VALVE: {Stream.VALVE_FORWARD: frozenset({Unit.FLAG})},
}
"""What each instrument measures, and in which units."""

TOTAL_MAX: Final = 2**53
"""In steps, more than any meter counts in its life. What a broken one shows must fit into a claim,
or nobody could claim beyond it."""

_UNITS: Final = frozenset(unit.value for unit in Unit)


def can_show(instrument: Instrument, reading: Reading) -> bool:
    """Tell whether an instrument may show these values: a total lies in 0 to `TOTAL_MAX`."""
    if STREAMS[instrument] is not _TOTALS:
        return True
    return all(0 <= value <= TOTAL_MAX for _, value in reading.samples)


def measured_unit(instrument: Instrument, reading: Reading) -> Unit | None:
    """Give the unit in which a reading measures what its instrument is there for, None if none."""
    units = {stream.value: units for stream, units in STREAMS[instrument].items()}
    offsets = [offset for offset, _ in reading.samples]
    sound = (
        reading.version == READING_VERSION
        and not reading.tamper
        and reading.unit in _UNITS
        and offsets == sorted(offsets)
        and can_show(instrument, reading)
    )
    unit = Unit(reading.unit) if sound else None
    return unit if unit in units.get(reading.stream, frozenset()) else None
