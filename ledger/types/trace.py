"""What a trace is made of: the way from a sale back to the farms, one shape a station.

`ledger.trace` walks it over a store; whoever only reads one needs these shapes alone.
"""

from msgspec import Struct

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey


class TraceStep(Struct, frozen=True):
    """Where on the chain something happened. No `txid`: in the genesis, or its body is pruned."""

    height: int
    block_hash: Hash
    time_ms: int
    txid: Hash | None


class MeterSpan(Struct, frozen=True):
    """What a farm's meter counted from one reading to another, and where the chain took it in."""

    device: PublicKey
    boot: int
    first_seq: int
    last_seq: int
    step: TraceStep


class Farm(Struct, frozen=True):
    """How much of a farm's milk is in the lot by one of its meters, and what that had counted.

    `spans` are the newest collections before the lot that it can have come from, newest first.
    """

    farm: Address
    meter: PublicKey
    units: Units
    spans: tuple[MeterSpan, ...]


class DrawnTank(Struct, frozen=True):
    """The tank that the line was fed from."""

    tank: Hash
    name: str


class ReadingNumber(Struct, frozen=True):
    """Which of a device's readings: its boot, and its place in it."""

    boot: int
    seq: int


class InstrumentSpan(Struct, frozen=True):
    """The readings of one instrument behind a window: all after a number, up to another.

    No `after`: no window had shown any of the device's before.
    """

    device: PublicKey
    instrument: str
    after: ReadingNumber | None
    last: ReadingNumber


class CountedInterval(Struct, frozen=True):
    """When milk counted, and how much; `void` if it was found false since."""

    from_ms: int
    to_ms: int
    units: Units
    void: bool


class LineWindow(Struct, frozen=True):
    """What proved the lot: a window of a line, every reading in it, and who signed for that."""

    line: Hash
    from_ms: int
    to_ms: int
    intervals: tuple[CountedInterval, ...]
    instruments: tuple[InstrumentSpan, ...]
    readings_root: Hash
    readings_count: int
    attestors: tuple[PublicKey, ...]
    contestable_until_ms: int


class LotStep(Struct, frozen=True):
    """The lot that a window made. `stock` was on record at genesis: no readings are behind it."""

    lot: Hash
    kind: str
    plant: str
    line: str
    mmu: Address
    minted_units: Units
    remaining_units: Units
    expires_ms: int
    status: str
    stock: bool
    readings_root: Hash
    minted: TraceStep


class Pack(Struct, frozen=True):
    """The product lot: packs of one size that were filled from the lot."""

    pack: Hash
    packs: int
    pack_units: Units
    sold_units: Units
    packed: TraceStep


class Sale(Struct, frozen=True):
    """The payment that redeemed milk, and how much of all lots together."""

    sender: Address
    redeemed_units: Units
    step: TraceStep


class Provenance(Struct, frozen=True):
    """One lot's way from its pack to its farms; what does not apply is None.

    `redeemed_units` is what the sale redeemed of it, 0 where the trace began at no sale.
    """

    redeemed_units: Units
    pack: Pack | None
    lot: LotStep
    window: LineWindow | None
    tank: DrawnTank | None
    farms: tuple[Farm, ...]
    complete: bool


class Trace(Struct, frozen=True):
    """Everything behind one id: a sale, if it is one, and the ways of all milk that it redeemed.

    Whatever is no sale has one way. `complete` says that every way was walked to its end.
    """

    sale: Sale | None
    milk: tuple[Provenance, ...]
    complete: bool
