"""Traceability: from a sale, a pack or a lot back to the farms, with the block of every step.

    sale (a redeeming payment) -> pack (product lot) -> lot -> run -> tank -> farm

A sale of a basket has such a way for each of its redemptions, in their order.

A pure walk over a store; it believes nothing but the chain: each step names the transaction that
made it, its block's hash and time, and the root that all its readings stand under. Each step costs
a few look-ups: it is sought in its sender's history, within its block; collections are indexed by
tank and farm. Where old bodies are pruned a step still has its block, but no transaction and no
meters; `complete` is then False.
"""

from typing import Final

from ledger.errors.store import UnknownSubject
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address
from ledger.state.proven import ClaimedSpan, Proven
from ledger.state.records import Lot
from ledger.state.tables import LOTS, ORIGINS, PRODUCTS, PROVEN, RUNS, SEALED, TANKS, run_name
from ledger.store.chain import ChainStore
from ledger.store.schema import STATE
from ledger.trace.steps import (
    claim_of,
    find_transaction,
    mints,
    packs,
    read_transaction,
    seals,
    seek,
    seek_step,
    step_at,
    subject_of,
)
from ledger.types.evidence import DeviceEvidence, RunClaim
from ledger.types.milk import RecordCollection
from ledger.types.trace import (
    DrawnTank,
    Farm,
    HeatedRun,
    LotStep,
    MeterRange,
    Pack,
    Provenance,
    Sale,
    Trace,
    TraceStep,
)
from ledger.types.transaction import basket_of

COLLECTIONS_SEARCHED_MAX: Final = 4_096
"""The most collections of one farm's milk in one tank that are looked at; beyond, a trace is not
complete."""
_SKEW_MS: Final = 600_000
"""The most that a reading's time may be ahead of its block's: the parameter's upper bound."""


def trace(store: ChainStore, subject: Hash) -> Trace:
    """Walk back from a transaction, pack, lot or run; raise a `StoreFault` if nothing is there."""
    sale: Sale | None = None
    starts = [(subject, Units(0))]
    if (found := find_transaction(store, subject)) is not None:
        transaction, step = found
        if basket := basket_of(transaction.intent.body):
            redeemed = Units(sum(part.units for part in basket))
            sale = Sale(transaction.sender, redeemed, step)
            starts = [(Hash(part.lot), part.units) for part in basket]
        else:
            starts = [(subject_of(transaction), Units(0))]
    ways = tuple(_provenance(store, start, units) for start, units in starts)
    return Trace(sale, ways, complete=all(way.complete for way in ways))


def _provenance(store: ChainStore, subject: Hash, redeemed_units: Units) -> Provenance:
    """Walk back from a pack, lot or run; raise `UnknownSubject` if nothing is there."""
    if not LOTS.get(store, subject):
        subject = _lot_of_run(store, subject) or subject
    product = PRODUCTS.get(store, subject)
    lot_id = subject if product is None else Hash(product.lot)
    lot = LOTS.get(store, lot_id)
    if lot is None:
        raise UnknownSubject(subject=subject.hex())
    pack = None
    if product is not None:
        packed = seek_step(store, lot.mmu, product.height, packs(subject))
        pack = Pack(subject, product.packs, product.pack_units, product.sold_units, packed)
    return _from_lot(store, redeemed_units, pack, lot_id, lot)


def _lot_of_run(store: ChainStore, run: Hash) -> Hash | None:
    """Find a run's lot by its id alone. Another MMU may have used the same id: the first counts."""
    for _, lot_id in store.cells(STATE + RUNS.prefix + run):
        return Hash(RUNS.decode(lot_id))
    return None


def _from_lot(
    store: ChainStore, redeemed_units: Units, pack: Pack | None, lot_id: Hash, lot: Lot
) -> Provenance:
    """Walk on from the lot, to its run, its tank and its farms."""
    origin = ORIGINS.get(store, lot_id)
    minted = seek(store, lot.mmu, lot.height, mints(lot_id))
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
        step_at(store, lot.height) if minted is None else minted[1],
    )
    if origin is None:
        return Provenance(redeemed_units, pack, shown, None, None, (), complete=True)
    if (proven := PROVEN.get(store, lot_id)) is not None:
        return _from_window(redeemed_units, pack, shown, proven)
    claim = None if minted is None else claim_of(minted[0])
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
    whole = walked and packed and sealed
    return Provenance(redeemed_units, pack, shown, run, tank, farms, complete=whole)


def _from_window(
    redeemed_units: Units, pack: Pack | None, shown: LotStep, proven: Proven
) -> Provenance:
    """Walk on from a lot that a window proved, to its instruments and its farms.

    Which of a farm's collections fed the tank is not sought, so the way is not complete.
    """
    instruments = tuple(
        MeterRange(span.device, span.boot, _first_seq(span), span.seq, shown.minted)
        for span in proven.spans
    )
    run = HeatedRun(
        shown.run, shown.line, proven.from_ms, proven.to_ms, proven.readings_count, instruments
    )
    by_farm: dict[Address, int] = {}
    for source in proven.sources:
        farm = Address(source.farm)
        by_farm[farm] = by_farm.get(farm, 0) + source.units
    farms = tuple(Farm(farm, Units(units), ()) for farm, units in by_farm.items())
    return Provenance(redeemed_units, pack, shown, run, None, farms, complete=False)


def _first_seq(span: ClaimedSpan) -> int:
    """Give the first number of a span's last boot."""
    after = span.after
    return after[1] + 1 if after is not None and after[0] == span.boot else 0


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
    step = seek_step(store, sealed.mmu, sealed.height, seals(Hash(lot.run)))
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
        if step_at(store, entry.height).time_ms + _SKEW_MS < tank.oldest_ms:
            return tuple(meters), True
        found = read_transaction(store, entry.txid)
        if found is None:
            return tuple(meters), False
        transaction, step = found
        body = transaction.intent.body
        assert isinstance(body, RecordCollection), "the index names collections alone"
        meters.append(_meter(body.meter, step))
    return tuple(meters), len(entries) < COLLECTIONS_SEARCHED_MAX


def _meter(evidence: DeviceEvidence, step: TraceStep) -> MeterRange:
    return MeterRange(evidence.device, evidence.boot, evidence.first_seq, evidence.last_seq, step)
