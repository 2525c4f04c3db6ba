"""Traceability: from a sale, a pack or a lot back to the farms, with the block of every step.

    sale (a redeeming payment) -> pack (product lot) -> lot -> window -> tank -> farm

A sale of a basket has such a way for each of its redemptions, in their order.

A pure walk over a store; it believes nothing but the chain: each step names the transaction that
made it, its block's hash and time, and the root that all its readings stand under. Each step costs
a few look-ups: it is sought in its sender's history, within its block; collections are indexed by
meter. Where old bodies are pruned a step still has its block, but no transaction; `complete` is
then False.
"""

from typing import Final

from ledger.errors.store import UnknownSubject
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.state.proven import Proven, ProvenSource
from ledger.state.records import Lot
from ledger.state.tables import DEVICES, LOTS, MILK_TANKS, PRODUCTS, PROVEN
from ledger.store.chain import ChainStore
from ledger.trace.steps import (
    find_transaction,
    mints,
    packs,
    read_transaction,
    seek_step,
    subject_of,
)
from ledger.types.milk import tank_id
from ledger.types.trace import (
    CountedInterval,
    DrawnTank,
    Farm,
    InstrumentSpan,
    LineWindow,
    LotStep,
    MeterSpan,
    Pack,
    Provenance,
    ReadingNumber,
    Sale,
    Trace,
)
from ledger.types.transaction import basket_of
from ledger.types.window import CollectMilk

COLLECTIONS_SEARCHED_MAX: Final = 256
"""The most collections of one meter that are looked at; beyond, a trace is not complete."""
MILK_KEEPS_MS: Final = 7 * 86_400_000
"""Milk was metered at most so long before it flowed: the parameter's upper bound."""


def trace(store: ChainStore, subject: Hash) -> Trace:
    """Walk back from a transaction, pack or lot; raise a `StoreFault` if nothing is there."""
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
    """Walk back from a pack or lot; raise `UnknownSubject` if nothing is there."""
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


def _from_lot(
    store: ChainStore, redeemed_units: Units, pack: Pack | None, lot_id: Hash, lot: Lot
) -> Provenance:
    """Walk on from the lot, to the window that proved it, its tank and its farms."""
    proven = PROVEN.get(store, lot_id)
    shown = LotStep(
        lot_id,
        lot.kind,
        lot.plant,
        lot.line,
        lot.mmu,
        lot.units,
        lot.remaining_units,
        lot.expires_ms,
        lot.status,
        proven is None,
        lot.readings_root,
        seek_step(store, lot.mmu, lot.height, mints(lot_id)),
    )
    if proven is None:
        return Provenance(redeemed_units, pack, shown, None, None, (), complete=True)
    found = [_farm(store, lot, proven, source) for source in proven.sources]
    walked = shown.minted.txid is not None and all(whole for _, whole in found)
    return Provenance(
        redeemed_units,
        pack,
        shown,
        _window(store, proven),
        _tank(store, proven),
        tuple(farm for farm, _ in found),
        complete=walked and (pack is None or pack.packed.txid is not None),
    )


def _window(store: ChainStore, proven: Proven) -> LineWindow:
    instruments = []
    for span in proven.spans:
        device = DEVICES.get(store, span.device)
        kind = "" if device is None else device.instrument.value
        after = None if span.after is None else ReadingNumber(*span.after)
        last = ReadingNumber(span.boot, span.seq)
        instruments.append(InstrumentSpan(span.device, kind, after, last))
    return LineWindow(
        Hash(proven.line),
        proven.from_ms,
        proven.to_ms,
        tuple(
            CountedInterval(each.from_ms, each.to_ms, each.units, each.void)
            for each in proven.intervals
        ),
        tuple(instruments),
        Hash(proven.readings_root),
        proven.readings_count,
        tuple(PublicKey(key) for key in proven.attestors),
        proven.contestable_until_ms,
    )


def _tank(store: ChainStore, proven: Proven) -> DrawnTank:
    tank = MILK_TANKS.get(store, proven.tank)
    return DrawnTank(Hash(proven.tank), "" if tank is None else tank.name)


def _farm(store: ChainStore, lot: Lot, proven: Proven, source: ProvenSource) -> tuple[Farm, bool]:
    """Find what a meter had counted that the lot's milk can be of; tell whether that is all."""
    spans: list[MeterSpan] = []
    whole = True
    oldest_ms = proven.intervals[0].to_ms - MILK_KEEPS_MS
    newest_ms = proven.intervals[-1].from_ms
    before = (lot.height + 1, 0)
    entries = store.collections(PublicKey(source.device), before, COLLECTIONS_SEARCHED_MAX)
    for entry in entries:
        found = read_transaction(store, entry.txid)
        if found is None:
            whole = False
            break
        transaction, step = found
        body = transaction.intent.body
        assert isinstance(body, CollectMilk), "the index names collections alone"
        first, last = body.first.reading(), body.last.reading()
        if step.time_ms < oldest_ms:
            break
        into = tank_id(body.mmu, body.plant, body.tank)
        flowed = oldest_ms <= first.t0_ms and last.last_ms <= newest_ms
        if into == proven.tank and flowed:
            spans.append(MeterSpan(body.meter, first.boot, first.seq, last.seq, step))
    # Milk that was moved between tanks was not collected into this one.
    whole = whole and bool(spans) and len(entries) < COLLECTIONS_SEARCHED_MAX
    return Farm(Address(source.farm), PublicKey(source.device), source.units, tuple(spans)), whole
