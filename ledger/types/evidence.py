"""What proves a run of milk: the claim that the MMU signs and every validator re-checks.

The claim carries device-signed endpoints: for each device the first, last and worst envelope of
the run. Totals at the endpoints bound the litres; the worst reading bounds the heat treatment.
All envelopes stand under `readings_root`, and attestors sign the claim's digest after they have
recomputed the run from them.
"""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import Units, WireUnits
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, WireHash, digest
from ledger.primitives.keys import WireAddress, WirePublicKey
from ledger.primitives.scalars import Millis
from ledger.types.reading import Envelope

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


class DeviceEvidence(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One device's part in a run: an unbroken range of its readings, shown by three of them.

    `worst` is the reading least favourable to the claim (coldest hold, warmest outlet, fastest
    flow); for a milk meter and a gauge it equals `last`. A chain uses a device's
    readings in their order, each once.
    """

    device: WirePublicKey
    boot: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    first_seq: Annotated[int, Meta(ge=0, le=2**53)]
    last_seq: Annotated[int, Meta(ge=0, le=2**53)]
    first: Envelope
    last: Envelope
    worst: Envelope


class Collection(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Milk that came from one farm into the run, and the meter's evidence for it."""

    farm: WireAddress
    units: CollectedUnits
    meter: DeviceEvidence


class RunClaim(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One pasteurized run: how much, of what, from whom, when, and by which instruments.

    Without collections the milk is that of a run sealed before.
    """

    run: WireHash
    plant: Annotated[str, Meta(min_length=1, max_length=64)]
    line: Annotated[str, Meta(min_length=1, max_length=64)]
    kind: MilkKind
    process: HeatProcess
    units: WireUnits
    started_ms: Millis
    ended_ms: Millis
    expires_ms: Millis
    collections: Annotated[tuple[Collection, ...], Meta(max_length=16)]
    instruments: Annotated[tuple[DeviceEvidence, ...], Meta(min_length=1, max_length=16)]
    readings_root: WireHash
    readings_count: Annotated[int, Meta(ge=1, le=2**32 - 1)]

    def lot_id(self) -> Hash:
        """Name the lot that the claim makes: the claim's digest."""
        return digest(Domain.RUN, encode(self))

    def signing_bytes(self, chain_id: Hash) -> bytes:
        """Give the bytes that attestors sign: domain, chain, the claim's digest."""
        return Domain.RUN.value + chain_id + self.lot_id()
