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


class MeterRange(Struct, frozen=True):
    """An unbroken range of one device's signed readings, and where the chain took it in."""

    device: PublicKey
    boot: int
    first_seq: int
    last_seq: int
    step: TraceStep


class Farm(Struct, frozen=True):
    """A farm, how much of its milk is in the lot, and the meters that counted it in."""

    farm: Address
    units: Units
    meters: tuple[MeterRange, ...]


class DrawnTank(Struct, frozen=True):
    """The tank that a run was drawn from."""

    tank: Hash
    name: str
    units: Units
    oldest_ms: int
    sealed: TraceStep


class HeatedRun(Struct, frozen=True):
    """A pasteurized run: when, by which instruments, and the root of all its readings."""

    run: Hash
    line: str
    started_ms: int
    ended_ms: int
    readings_count: int
    instruments: tuple[MeterRange, ...]


class LotStep(Struct, frozen=True):
    """The lot that a run became. `stock` was on record at genesis: no readings are behind it."""

    lot: Hash
    run: Hash
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
    run: HeatedRun | None
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
