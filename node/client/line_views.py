"""What a node shows of lines, devices and permits, as of its last final block.

A program that judges windows needs the records whole: each view has its record's canonical bytes as
the state holds them (docs/spec/encoding.md §7), beside what people look for first.
"""

from msgspec import Struct

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey


class DeviceView(Struct, frozen=True, kw_only=True):
    """A registered device, and where the chain stands with its envelopes."""

    key: PublicKey
    instrument: str
    plant: str
    operator: Address
    calibrated_from_ms: int
    calibrated_until_ms: int
    stopped_ms: int
    """Nothing counts that it measured from then on."""
    line: Hash
    """Zeros: it watches none."""
    tank: Hash
    """What a gauge measures; zeros for any other."""
    record: bytes
    """The `Device`."""
    tip: bytes
    """The `Tip` of the line; empty if none of its windows has shown it, or no line is asked for."""
    use: bytes
    """The `MeterUse` of a farm's meter; empty if nothing was collected of it yet."""


class LineView(Struct, frozen=True, kw_only=True):
    """A line with all that judges its next window: one state, after the block of `as_of_height`."""

    id: Hash
    plant: str
    name: str
    mmu: Address
    through_ms: int
    """Up to where its claims reach: the next window begins there."""
    as_of_height: int
    as_of_ms: int
    chain_id: Hash
    record: bytes
    """The `Line`."""
    rules: bytes
    """The `Parameters` in force."""
    attestors: tuple[PublicKey, ...]
    """All that are registered, ascending: a quorum of them must agree."""
    devices: tuple[DeviceView, ...]
    """Those of the line, by ascending key; from when until when each watches is in the record."""


class ProvenView(Struct, frozen=True, kw_only=True):
    """What proved a lot, who attested it, and until when anyone may doubt it."""

    lot: Hash
    line: Hash
    mmu: Address
    from_ms: int
    to_ms: int
    readings_root: Hash
    """By which attestors serve the readings."""
    readings_count: int
    attestors: tuple[PublicKey, ...]
    contestable_until_ms: int
    doubted: bool
    """A doubt stands, and may be answered later than that."""
    as_of_ms: int
    record: bytes
    """The `Proven`, with its intervals and spans."""


class LineSummary(Struct, frozen=True, kw_only=True):
    """A line in a list; its id is the cursor to go on from."""

    id: Hash
    plant: str
    name: str
    mmu: Address
    process: str
    tank: Hash
    through_ms: int
    height: int
    """The block that registered it."""


class PortionView(Struct, frozen=True, kw_only=True):
    """Milk in a tank that one meter counted, and what is left of it."""

    farm: Address
    device: PublicKey
    first_ms: int
    last_ms: int
    units: Units


class MilkTankView(Struct, frozen=True, kw_only=True):
    """A tank of raw milk, as of the block of `as_of_height`: its milk in order of metering."""

    id: Hash
    mmu: Address
    plant: str
    name: str
    held_units: Units
    as_of_height: int
    as_of_ms: int
    record: bytes
    """The `MilkTank`."""
    portions: tuple[PortionView, ...]
    """At most so many as were asked for, the oldest."""


class PermitView(Struct, frozen=True, kw_only=True):
    """What a farm consents to now, for a meter of its own, or for all that have none of theirs."""

    meter: PublicKey
    """Zeros for all."""
    mmu: Address
    collector: Address
    """Zeros: nobody but the MMU."""
    litres_a_day: int
    from_ms: int
    until_ms: int
    record: bytes
    """The `Permit`, with the terms before."""
