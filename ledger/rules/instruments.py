"""Instruments: what each measures, in which units."""

from typing import Final

from ledger.types.evidence import Instrument
from ledger.types.reading import Stream, Unit

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
