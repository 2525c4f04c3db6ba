"""Traceability: from a sale, a pack or a lot back to the farms, with the block of every step.

    sale (a redeeming payment) -> pack (product lot) -> lot -> run -> tank -> farm

A pure walk over a store; it believes nothing but the chain: each step names the transaction that
made it, its block's hash and time, and the root that all its readings stand under. Each step costs
a few look-ups: it is sought in its sender's history, within its block; collections are indexed by
tank and farm. Where old bodies are pruned a step still has its block, but no transaction and no
meters; `complete` is then False.
"""

from collections.abc import Callable
from typing import Final

from ledger.errors.store import NoMilkBehind, PrunedBlock, UnknownSubject
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.hashing import ZERO_HASH, Domain, Hash
from ledger.primitives.keys import Address
from ledger.rules.context import Call
from ledger.state.records import Lot
from ledger.state.tables import LOTS, ORIGINS, PRODUCTS, RUNS, SEALED, TANKS, run_name
from ledger.store.chain import ChainStore
from ledger.store.schema import STATE
from ledger.types.evidence import DeviceEvidence, RunClaim
from ledger.types.mandate import ChargeMandate
from ledger.types.milk import MintLot, PackLot, RecordCollection, RollLot, SealRun
from ledger.types.trace import (
    DrawnTank,
    Farm,
    HeatedRun,
    LotStep,
    MeterRange,
    Pack,
    Sale,
    Trace,
    TraceStep,
)
from ledger.types.transaction import Transaction, decode_transaction
from ledger.types.transfer import Redemption, Transfer

COLLECTIONS_SEARCHED_MAX: Final = 4_096
"""The most collections of one farm's milk in one tank that are looked at; beyond, a trace is not
complete."""
_PAGE: Final = 64
"""How many entries of a history are read at once; a step looks at its own block's alone."""
_SKEW_MS: Final = 600_000
"""The most that a reading's time may be ahead of its block's: the parameter's upper bound."""


def trace(store: ChainStore, subject: Hash) -> Trace:
    """Walk back from a transaction, pack, lot or run; raise a `StoreFault` if nothing is there."""
    sale: Sale | None = None
    if (found := _transaction(store, subject)) is not None:
        transaction, step = found
        subject, redeemed = _subject_of(transaction)
        if redeemed is not None:
            sale = Sale(transaction.sender, redeemed.units, step)
    if not LOTS.get(store, subject):
        subject = _lot_of_run(store, subject) or subject
    product = PRODUCTS.get(store, subject)
    lot_id = subject if product is None else Hash(product.lot)
    lot = LOTS.get(store, lot_id)
    if lot is None:
        raise UnknownSubject(subject=subject.hex())
    pack = None
    if product is not None:
        packed = _step(store, lot.mmu, product.height, _packs(subject))
        pack = Pack(subject, product.packs, product.pack_units, product.sold_units, packed)
    return _from_lot(store, sale, pack, lot_id, lot)


def _lot_of_run(store: ChainStore, run: Hash) -> Hash | None:
    """Find a run's lot by its id alone. Another MMU may have used the same id: the first counts."""
    for _, lot_id in store.cells(STATE + RUNS.prefix + run):
        return Hash(RUNS.decode(lot_id))
    return None


def _from_lot(
    store: ChainStore, sale: Sale | None, pack: Pack | None, lot_id: Hash, lot: Lot
) -> Trace:
    """Walk on from the lot, to its run, its tank and its farms."""
    origin = ORIGINS.get(store, lot_id)
    minted = _sought(store, lot.mmu, lot.height, _mints(lot_id))
    shown = LotStep(
        lot_id,
        lot.run,
        lot.kind,
        lot.plant,
        lot.line,
        lot.mmu,
        lot.units,
        lot.remaining_units,
        lot.expires_ms,
        lot.status,
        origin is None,
        lot.readings_root,
        _at(store, lot.height) if minted is None else minted[1],
    )
    if origin is None:
        return Trace(sale, pack, shown, None, None, (), complete=True)
    claim = None if minted is None else _claim(minted[0])
    run = None if claim is None or minted is None else _run(claim, minted[1])
    tank = _tank(store, lot) if origin.tank != ZERO_HASH else None
    found = [
        (Address(farm), units, _meters(store, Address(farm), shown.minted, claim, tank))
        for farm, units in origin.sources
    ]
    farms = tuple(Farm(farm, units, meters) for farm, units, (meters, _) in found)
    walked = run is not None and all(meters and whole for _, _, (meters, whole) in found)
    packed = pack is None or pack.packed.txid is not None
    sealed = tank is None or tank.sealed.txid is not None
    return Trace(sale, pack, shown, run, tank, farms, complete=walked and packed and sealed)


def _run(claim: RunClaim, step: TraceStep) -> HeatedRun:
    instruments = tuple(_meter(evidence, step) for evidence in claim.instruments)
    return HeatedRun(
        claim.run,
        claim.line,
        claim.started_ms,
        claim.ended_ms,
        claim.readings_count,
        instruments,
    )


def _tank(store: ChainStore, lot: Lot) -> DrawnTank | None:
    """Tell of the tank that a lot's run was drawn from."""
    sealed = SEALED.get(store, run_name(Hash(lot.run), Address(lot.mmu)))
    if sealed is None:
        return None
    tank = TANKS.get(store, sealed.tank)
    step = _step(store, sealed.mmu, sealed.height, _seals(Hash(lot.run)))
    name = "" if tank is None else tank.name
    return DrawnTank(Hash(sealed.tank), name, sealed.units, sealed.oldest_ms, step)


def _meters(
    store: ChainStore,
    farm: Address,
    minted: TraceStep,
    claim: RunClaim | None,
    tank: DrawnTank | None,
) -> tuple[tuple[MeterRange, ...], bool]:
    """List the meters that counted a farm's milk: in the claim, or in collections of the tank.

    Tells also whether those are all.
    """
    if tank is not None:
        return _collected(store, farm, tank)
    if claim is None:
        return (), False
    return tuple(_meter(c.meter, minted) for c in claim.collections if c.farm == farm), True


def _collected(
    store: ChainStore, farm: Address, tank: DrawnTank
) -> tuple[tuple[MeterRange, ...], bool]:
    """Find what a farm brought into the tank, from the oldest milk in the run to its sealing."""
    meters: list[MeterRange] = []
    before = (tank.sealed.height + 1, 0)
    entries = store.collections(tank.tank, farm, before, COLLECTIONS_SEARCHED_MAX)
    for entry in entries:
        if _at(store, entry.height).time_ms + _SKEW_MS < tank.oldest_ms:
            return tuple(meters), True
        found = _read(store, entry.txid)
        if found is None:
            return tuple(meters), False
        transaction, step = found
        body = transaction.intent.body
        assert isinstance(body, RecordCollection), "the index names collections alone"
        meters.append(_meter(body.meter, step))
    return tuple(meters), len(entries) < COLLECTIONS_SEARCHED_MAX


def _meter(evidence: DeviceEvidence, step: TraceStep) -> MeterRange:
    return MeterRange(evidence.device, evidence.boot, evidence.first_seq, evidence.last_seq, step)


# Finding transactions.

Wanted = Callable[[Transaction], bool]


def _packs(pack: Hash) -> Wanted:
    return lambda transaction: (
        isinstance(transaction.intent.body, PackLot) and _pack_id(transaction) == pack
    )


def _pack_id(transaction: Transaction) -> Hash:
    return Call(transaction.sender, transaction.intent.nonce, 0).name(Domain.PRODUCT)


def _mints(lot_id: Hash) -> Wanted:
    def wanted(transaction: Transaction) -> bool:
        claim = _claim(transaction)
        return claim is not None and claim.lot_id() == lot_id

    return wanted


def _seals(run: Hash) -> Wanted:
    def wanted(transaction: Transaction) -> bool:
        body = transaction.intent.body
        return isinstance(body, SealRun) and body.run == run

    return wanted


def _claim(transaction: Transaction) -> RunClaim | None:
    match transaction.intent.body:
        case MintLot(claim=claim):
            return claim
        case RollLot(mint=mint):
            return mint.claim
        case _:
            return None


def _subject_of(transaction: Transaction) -> tuple[Hash, Redemption | None]:
    """Say what a transaction's trace goes on from, and what it redeemed of that."""
    match transaction.intent.body:
        case Transfer(redeem=redeem) | ChargeMandate(redeem=redeem) if redeem is not None:
            return redeem.lot, redeem
        case MintLot() | RollLot():
            claim = _claim(transaction)
            assert claim is not None
            return claim.lot_id(), None
        case PackLot():
            return _pack_id(transaction), None
        case SealRun(run=run):
            return run, None
        case _:
            raise NoMilkBehind(txid=transaction.id.hex(), why="it redeems none")


def _transaction(store: ChainStore, txid: Hash) -> tuple[Transaction, TraceStep] | None:
    """Find a transaction that took effect, and its step; None if the id is of something else."""
    record = store.transaction(txid)
    if record is None:
        return None
    if record.receipt.code:
        raise NoMilkBehind(txid=txid.hex(), why=f"it failed: {record.receipt.code}")
    return decode_transaction(record.raw), _at(store, record.height, txid)


def _read(store: ChainStore, txid: Hash) -> tuple[Transaction, TraceStep] | None:
    """Read a transaction that took effect; None if it failed, or its body is pruned."""
    try:
        record = store.transaction(txid)
        if record is None or record.receipt.code:
            return None
        return decode_transaction(record.raw), _at(store, record.height, txid)
    except (PrunedBlock, PrimitiveFault):
        return None  # A damaged store shows less; `billcoin audit` says why.


def _sought(
    store: ChainStore, sender: Address, height: int, wanted: Wanted
) -> tuple[Transaction, TraceStep] | None:
    """Find the transaction of one block that made something, in the history of who sent it."""
    before = (height + 1, 0)
    while entries := store.history(sender, before, _PAGE):
        for entry in entries:
            if entry.height < height:
                return None
            found = _read(store, entry.txid)
            if found is not None and wanted(found[0]):
                return found
        before = (entries[-1].height, entries[-1].index)
    return None


def _step(store: ChainStore, sender: Address, height: int, wanted: Wanted) -> TraceStep:
    found = _sought(store, sender, height, wanted)
    return _at(store, height) if found is None else found[1]


def _at(store: ChainStore, height: int, txid: Hash | None = None) -> TraceStep:
    header = store.header(height)
    assert header is not None, "what happened, happened in a block"
    return TraceStep(height, header.hash(), header.time_ms, txid)
