"""Traceability: whatever id a buyer has, the walk ends at the farms and names every block."""

import pytest
from msgspec.structs import replace

from ledger.errors.store import NoMilkBehind, PrunedBlock, UnknownSubject
from ledger.params import DAY_MS
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain
from ledger.primitives.keys import address_of
from ledger.rules.context import Call
from ledger.state.tables import account
from ledger.store import MemoryStore
from ledger.trace import trace
from ledger.types.milk import PackLot, tank_id
from ledger.types.tank import MoveMilk
from ledger.types.window import RollWindow
from tests.support.ledger.dairy import NOW_MS, PLANT, TANK, Chain, Dairy, bill, key
from tests.support.ledger.milking import MILKED_AGO_MS, Milking

ALICE, TO_BOB = key("alice"), address_of(key("bob").public)
MMU = address_of(key("mmu").public)
FARMS = [address_of(k.public) for k in Dairy().farm_keys]


class Walk(Chain):
    """A chain on which each transaction gets a block of its own, and a dairy's batches."""

    def __post_init__(self):
        super().__post_init__()
        self.milking = Milking(self.dairy)

    def do(self, sender, body, time_ms=None):
        made = self.dairy.next(self.store, body, sender)
        (receipt,) = self.block(made, time_ms=time_ms).receipts
        return made.id, receipt.code

    def must(self, sender, body, time_ms=None):
        txid, code = self.do(sender, body, time_ms)
        assert code == ""
        return txid

    def make(self, *litres, at_ms=0, time_ms=None):
        """Do a whole batch; give it and what its transactions are called."""
        batch = self.milking.next([bill(each) for each in litres or (40, 35, 25)], at_ms=at_ms)
        return batch, [self.must(sender, body, time_ms) for sender, body in batch.steps]

    def step(self, txid):
        place = self.store.place_of(txid)
        header = self.store.header(place.height)
        return place.height, header.hash(), header.time_ms, txid


@pytest.fixture
def chain():
    return Walk(Dairy(), MemoryStore())


def facts(step):
    return step.height, step.block_hash, step.time_ms, step.txid


def test_a_pack_leads_through_lot_window_and_tank_to_its_farms_and_every_block(chain):
    dairy = chain.dairy
    batch, (*brought, minted) = chain.make(60, 40)
    nonce = account(chain.store, MMU).nonce
    packed = chain.must(dairy.mmu, PackLot(batch.lot, 50, bill(1)))
    pack = Call(MMU, nonce, 0).name(Domain.PRODUCT)
    sold = chain.must(ALICE, dairy.pay(TO_BOB, bill(3), (pack, bill(2))))

    whole = trace(chain.store, sold)
    (found,) = whole.milk
    assert facts(whole.sale.step) == chain.step(sold)
    assert whole.sale.redeemed_units == found.redeemed_units == bill(2)
    assert found.pack.pack == pack
    assert facts(found.pack.packed) == chain.step(packed)
    assert facts(found.lot.minted) == chain.step(minted)
    assert found.lot.readings_root == found.window.readings_root == batch.claim.readings_root
    assert (found.tank.tank, found.tank.name) == (tank_id(MMU, PLANT, TANK), TANK)
    assert sum(farm.units for farm in found.farms) == bill(100)
    by_farm = {farm.farm: farm for farm in found.farms}
    assert set(by_farm) == set(FARMS[:2])
    for farm, meter, step in zip(FARMS[:2], dairy.meter_keys, brought, strict=False):
        assert by_farm[farm].meter == meter.public
        assert [facts(span.step) for span in by_farm[farm].spans] == [chain.step(step)]
    assert whole.complete


def test_a_window_is_told_with_its_intervals_its_attestors_and_its_instruments(chain):
    chain.make(10)
    before, _ = chain.make(10)
    batch, _ = chain.make()
    claim, window = batch.claim, trace(chain.store, batch.lot).milk[0].window
    told = (window.line, window.from_ms, window.to_ms, window.readings_count)
    assert told == (chain.milking.line_id, claim.from_ms, claim.to_ms, claim.readings_count)
    spans = [(each.from_ms, each.to_ms) for each in window.intervals]
    assert spans == [(each.from_ms, each.to_ms) for each in claim.intervals]
    assert sum(each.units for each in window.intervals) == claim.units == bill(100)
    assert not any(each.void for each in window.intervals)
    assert window.attestors == tuple(each.public for each in chain.dairy.attestor_keys)
    assert {each.instrument for each in window.instruments} == set(chain.dairy.line_kinds)
    lasts = {each.device: each.last.reading() for each in before.claim.devices}
    ends = {each.device: each.end.reading() for each in claim.devices}
    for span in window.instruments:
        last, end = lasts[span.device], ends[span.device]
        assert (span.after.boot, span.after.seq) == (last.boot, last.seq)
        assert (span.last.boot, span.last.seq) == (end.boot, end.seq)


def test_what_was_metered_once_the_milk_had_flowed_is_not_in_it(chain):
    batch = chain.milking.next([bill(60)])
    later = chain.milking.next([bill(30)], at_ms=batch.claim.to_ms + MILKED_AGO_MS)
    bodies = (*batch.collections, *later.collections)
    brought, _ = [chain.must(chain.dairy.mmu, body) for body in bodies]
    chain.must(chain.dairy.mmu, batch.mint)
    (farm,) = trace(chain.store, batch.lot).milk[0].farms
    assert [span.step.txid for span in farm.spans] == [brought]


def test_a_span_names_the_readings_of_its_collection(chain):
    batch, steps = chain.make(40)
    (farm,) = trace(chain.store, batch.lot).milk[0].farms
    (span,) = farm.spans
    first, last = (
        each.reading() for each in (batch.collections[0].first, batch.collections[0].last)
    )
    assert (span.device, span.boot) == (first.device, first.boot)
    assert (span.first_seq, span.last_seq) == (first.seq, last.seq)
    assert facts(span.step) == chain.step(steps[0])


def test_a_basket_leads_to_the_farms_of_every_lot_in_it(chain):
    dairy = chain.dairy
    lots = sorted(chain.make(*[20] * (number + 1))[0].lot for number in range(3))
    basket = [(lot, bill(number + 1)) for number, lot in enumerate(lots)]
    sold = chain.must(ALICE, dairy.pay(TO_BOB, bill(9), *basket))
    found = trace(chain.store, sold)
    assert (found.sale.redeemed_units, found.complete) == (bill(6), True)
    assert [(way.lot.lot, way.redeemed_units) for way in found.milk] == basket
    assert sorted(len(way.farms) for way in found.milk) == [1, 2, 3]
    for way in found.milk:
        (alone,) = trace(chain.store, way.lot.lot).milk
        assert alone == replace(way, redeemed_units=Units(0))


def test_dust_paid_to_farm_and_mmu_hides_nothing(chain):
    dairy = chain.dairy
    batch = chain.milking.next([bill(70)])
    collected = chain.must(dairy.mmu, batch.collections[0])
    # Of one sender, in the mint's own block too: whoever pays so wants it found by nobody.
    nonce = account(chain.store, address_of(ALICE.public)).nonce
    dust = [
        dairy.transaction(dairy.pay(to, 1), ALICE, nonce + number)
        for number, to in enumerate([FARMS[0], MMU] * 260)
    ]
    minted = dairy.next(chain.store, batch.mint, dairy.mmu)
    receipts = chain.block(minted, *dust).receipts
    assert {receipt.code for receipt in receipts} == {""}
    (found,) = trace(chain.store, batch.lot).milk
    assert facts(found.lot.minted) == chain.step(minted.id)
    (farm,) = found.farms
    assert [facts(span.step) for span in farm.spans] == [chain.step(collected)]
    assert found.complete


def test_a_trace_that_looked_at_the_most_that_it_may_is_not_complete(chain, monkeypatch):
    lots = [chain.make(30)[0].lot for _ in range(3)]
    (found,) = trace(chain.store, lots[-1]).milk
    assert ([len(farm.spans) for farm in found.farms], found.complete) == ([3], True)
    monkeypatch.setattr("ledger.trace.walk.COLLECTIONS_SEARCHED_MAX", 2)
    (found,) = trace(chain.store, lots[-1]).milk
    assert ([len(farm.spans) for farm in found.farms], found.complete) == ([2], False)


def test_what_was_metered_too_long_before_is_in_no_lot(chain):
    chain.make(30)
    at_ms = NOW_MS + 9 * DAY_MS
    batch, steps = chain.make(30, at_ms=at_ms, time_ms=at_ms + 120_000)
    (farm,) = trace(chain.store, batch.lot).milk[0].farms
    assert [span.step.txid for span in farm.spans] == steps[:1]


def test_milk_that_was_moved_between_tanks_is_not_called_complete(chain):
    """Its farm and its meter are known all the same; only not which collection brought it."""
    dairy = chain.dairy
    batch = chain.milking.next([bill(30)])
    elsewhere = replace(batch.collections[0], tank="elsewhere")
    chain.must(dairy.mmu, elsewhere)
    chain.must(dairy.mmu, MoveMilk(PLANT, "elsewhere", TANK, bill(30)))
    chain.must(dairy.mmu, batch.mint)
    (found,) = trace(chain.store, batch.lot).milk
    assert [(farm.farm, farm.units, farm.spans) for farm in found.farms] == [
        (FARMS[0], bill(30), ())
    ]
    assert not found.complete


def test_every_id_on_the_way_gives_the_same_lot(chain):
    dairy = chain.dairy
    batch, (*brought, minted) = chain.make()
    sold = chain.must(ALICE, dairy.pay(TO_BOB, 10, (batch.lot, 7)))
    traces = [trace(chain.store, each) for each in (minted, sold, batch.lot)]
    assert {way.lot.lot for each in traces for way in each.milk} == {batch.lot}
    assert all(each.complete for each in traces)
    assert [each.sale is None for each in traces] == [True, False, True]
    by_meter = {farm.meter: farm for farm in traces[0].milk[0].farms}
    assert len(by_meter) == len(brought) == 3
    for collection, txid in zip(batch.collections, brought, strict=True):
        (span,) = by_meter[collection.meter].spans
        assert facts(span.step) == chain.step(txid)


def test_a_rolled_lot_is_traced_as_a_minted_one(chain):
    old, _ = chain.make(30)
    at_ms = NOW_MS + 20 * DAY_MS
    # It buys the old tokens back, and sells as much milk.
    chain.must(ALICE, chain.dairy.pay(MMU, bill(50)), at_ms)
    batch = chain.milking.next([bill(40)], at_ms=at_ms)
    for body in batch.collections:
        chain.must(chain.dairy.mmu, body, at_ms + 120_000)
    rolled = chain.must(chain.dairy.mmu, RollWindow(old.lot, batch.mint), at_ms + 120_000)
    for subject in (rolled, batch.lot):
        (found,) = trace(chain.store, subject).milk
        assert facts(found.lot.minted) == chain.step(rolled)
        assert (found.lot.lot, found.complete) == (batch.lot, True)


def test_milk_of_the_opening_stock_says_that_no_readings_are_behind_it(chain):
    stock = chain.dairy.genesis.stock[0].lot_id()
    sold = chain.must(ALICE, chain.dairy.pay(TO_BOB, 10, (stock, 7)))
    (found,) = trace(chain.store, sold).milk
    assert found.lot.stock
    assert (found.window, found.tank, found.farms) == (None, None, ())
    assert (found.lot.minted.height, found.lot.minted.txid) == (0, None)


def test_what_has_no_milk_behind_it_is_told_apart_from_what_is_unknown(chain):
    paid = chain.must(ALICE, chain.dairy.pay(TO_BOB, 10))
    failed, code = chain.do(ALICE, chain.dairy.pay(TO_BOB, 10, (bytes(32), 7)))
    assert code == "unknown_lot"
    with pytest.raises(NoMilkBehind, match="redeems none"):
        trace(chain.store, paid)
    with pytest.raises(NoMilkBehind, match="it failed: unknown_lot"):
        trace(chain.store, failed)
    with pytest.raises(UnknownSubject, match="no sale, pack or lot"):
        trace(chain.store, bytes(32))


def test_a_pruned_store_still_names_the_blocks_and_says_that_it_knows_less():
    chain = Walk(Dairy(), MemoryStore(keep_blocks=2))
    batch, (*_, minted) = chain.make()
    where = chain.step(minted)
    for _ in range(3):
        chain.block()
    whole = trace(chain.store, batch.lot)
    (found,) = whole.milk
    assert facts(found.lot.minted) == (*where[:3], None)
    assert (found.complete, whole.complete) == (False, False)
    # What the state keeps is told without any block: the window, and the farms.
    assert found.window.readings_root == batch.claim.readings_root
    assert {farm.farm: farm.spans for farm in found.farms} == dict.fromkeys(FARMS, ())
    with pytest.raises(PrunedBlock):
        trace(chain.store, minted)
