"""What milk and instruments are: words that readings, lines, lots and parameters share."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from ledger.primitives.amounts import Units

COLLECTION_UNITS_MAX: Final = 10**12
"""A million litres: no farm brings more at once, and no tank holds as much."""
CollectedUnits = Annotated[Units, Meta(ge=0, le=COLLECTION_UNITS_MAX)]


class MilkKind(StrEnum):
    """What is in the pack. Each kind has a shelf life in the parameters."""

    WHOLE = "whole"
    LOW_FAT = "low_fat"
    SKIM = "skim"
    FLAVOURED = "flavoured"
    GOAT = "goat"
    BUFFALO = "buffalo"
    LACTOSE_FREE = "lactose_free"
    ESL = "esl"
    UHT = "uht"
    STERILISED = "sterilised"


class HeatProcess(StrEnum):
    """How milk was pasteurized: in a holding tube as it flows, or in a vat that then drains."""

    CONTINUOUS = "continuous"
    BATCH = "batch"


class Instrument(StrEnum):
    """What a registered device measures; each instrument has one stream."""

    MILK_METER = "milk_meter"
    FLOW_METER = "flow_meter"
    HOLD_THERMOMETER = "hold_thermometer"
    OUTLET_THERMOMETER = "outlet_thermometer"
    DIVERSION_VALVE = "diversion_valve"
    TANK_GAUGE = "tank_gauge"
