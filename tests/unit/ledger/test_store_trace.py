"""Traceability: whatever id a buyer has, the walk ends at the farms and names every block."""

import pytest
from msgspec.structs import replace

from ledger.errors.store import NoMilkBehind, PrunedBlock, UnknownSubject
from ledger.primitives.hashing import Domain
from ledger.primitives.keys import address_of
from ledger.rules.context import Call
from ledger.state.tables import account
from ledger.store import MemoryStore
from ledger.trace import trace
from ledger.types.milk import PackLot, RecordCollection, SealRun, tank_id
from tests.support.ledger.dairy import PLANT, Chain, Dairy, bill, key

ALICE, TO_BOB = key("alice"), address_of(key("bob").public)
MMU = address_of(key("mmu").public)
TANK = tank_id(MMU, PLANT, "tank-1")
FARMS = [address_of(k.public) for k in Dairy().farm_keys]


class Walk(Chain):
    """A chain on which each transaction gets a block of its own."""

    def do(self, sender, body):
        made = self.dairy.next(self.store, body, sender)
        (receipt,) = self.block(made).receipts
        return made.id, receipt.code

    def collect(self, farm, litres, first_seq=0):
        dairy = self.dairy
        meter = dairy.total(
            dairy.meter_keys[farm], litres * 1_000, first_seq=first_seq, last_seq=first_seq + 9
        )
        body = RecordCollection(MMU, PLANT, "tank-1", FARMS[farm], bill(litres), meter)
        return self.do(dairy.mmu, body)[0]

    def step(self, txid):
        place = self.store.place_of(txid)
        header = self.store.header(place.height)
        return place.height, header.hash(), header.time_ms, txid


@pytest.fixture
def chain():
    return Walk(Dairy(), MemoryStore())


def facts(step):
    return step.height, step.block_hash, step.time_ms, step.txid


def test_a_pack_leads_through_lot_run_and_tank_to_its_farms_and_every_block(chain):
    dairy = chain.dairy
    brought = [chain.collect(farm, 60) for farm in (0, 1)]
    claim = dairy.claim(0, [bill(100)], collections=())
    sealed, _ = chain.do(dairy.mmu, SealRun(claim.run, TANK, bill(100)))
    later = chain.collect(0, 30, first_seq=50)
    minted, _ = chain.do(dairy.mmu, dairy.mint(claim))
    nonce = account(chain.store, MMU).nonce
    packed, _ = chain.do(dairy.mmu, PackLot(claim.lot_id(), 50, bill(1)))
    pack = Call(MMU, nonce, 0).name(Domain.PRODUCT)
    sold, code = chain.do(ALICE, dairy.pay(TO_BOB, bill(3), (pack, bill(2))))
    assert code == ""

    whole = trace(chain.store, sold)
    (found,) = whole.milk
    assert facts(whole.sale.step) == chain.step(sold)
    assert whole.sale.redeemed_units == found.redeemed_units == bill(2)
    assert found.pack.pack == pack
    assert facts(found.pack.packed) == chain.step(packed)
    assert facts(found.lot.minted) == chain.step(minted)
    assert found.lot.readings_root == claim.readings_root
    assert found.run.run == claim.run
    assert len(found.run.instruments) == len(claim.instruments)
    assert (found.tank.tank, found.tank.name) == (TANK, "tank-1")
    assert facts(found.tank.sealed) == chain.step(sealed)
    assert sorted(farm.farm for farm in found.farms) == sorted(FARMS[:2])
    assert sum(farm.units for farm in found.farms) == bill(100)
    steps = {meter.step.txid for farm in found.farms for meter in farm.meters}
    assert steps == set(brought)
    assert later not in steps, "what came after the run was sealed is not in it"
    assert whole.complete


def test_a_basket_leads_to_the_farms_of_every_lot_in_it(chain):
    dairy = chain.dairy
    claims = [dairy.claim(number, [bill(20)] * (number + 1)) for number in range(3)]
    for claim in claims:
        assert chain.do(dairy.mmu, dairy.mint(claim))[1] == ""
    lots = sorted(claim.lot_id() for claim in claims)
    basket = [(lot, bill(number + 1)) for number, lot in enumerate(lots)]
    sold, code = chain.do(ALICE, dairy.pay(TO_BOB, bill(9), *basket))
    assert code == ""
    found = trace(chain.store, sold)
    assert (found.sale.redeemed_units, found.complete) == (bill(6), True)
    assert [(way.lot.lot, way.redeemed_units) for way in found.milk] == basket
    for way in found.milk:
        (alone,) = trace(chain.store, way.lot.lot).milk
        assert alone == replace(way, redeemed_units=0)


def test_dust_paid_to_farm_and_mmu_hides_nothing(chain):
    dairy = chain.dairy
    for number, litres in enumerate((20, 25, 30)):
        chain.collect(0, litres, first_seq=number * 10)
    claim = dairy.claim(3, [bill(70)], collections=())
    sealed, _ = chain.do(dairy.mmu, SealRun(claim.run, TANK, bill(70)))
    # Of one sender, in the mint's own block too: whoever pays so wants it found by nobody.
    nonce = account(chain.store, address_of(ALICE.public)).nonce
    dust = [
        dairy.transaction(dairy.pay(to, 1), ALICE, nonce + number)
        for number, to in enumerate([FARMS[0], MMU] * 260)
    ]
    minted = dairy.next(chain.store, dairy.mint(claim), dairy.mmu)
    receipts = chain.block(minted, *dust).receipts
    assert {receipt.code for receipt in receipts} == {""}
    (found,) = trace(chain.store, claim.lot_id()).milk
    assert facts(found.lot.minted) == chain.step(minted.id)
    assert facts(found.tank.sealed) == chain.step(sealed)
    (farm,) = found.farms
    assert len(farm.meters) == 3
    assert found.complete


def test_a_trace_that_looked_at_the_most_that_it_may_is_not_complete(chain, monkeypatch):
    dairy = chain.dairy
    for number in range(3):
        chain.collect(0, 30, first_seq=number * 10)
    claim = dairy.claim(3, [bill(70)], collections=())
    chain.do(dairy.mmu, SealRun(claim.run, TANK, bill(70)))
    chain.do(dairy.mmu, dairy.mint(claim))
    assert trace(chain.store, claim.lot_id()).complete
    monkeypatch.setattr("ledger.trace.walk.COLLECTIONS_SEARCHED_MAX", 2)
    (found,) = trace(chain.store, claim.lot_id()).milk
    assert [len(farm.meters) for farm in found.farms] == [2]
    assert not found.complete


def test_every_id_on_the_way_gives_the_same_lot(chain):
    dairy, claim = chain.dairy, chain.dairy.claim()
    minted, _ = chain.do(dairy.mmu, dairy.mint(claim))
    sold, _ = chain.do(ALICE, dairy.pay(TO_BOB, 10, (claim.lot_id(), 7)))
    traces = [trace(chain.store, each) for each in (minted, sold, claim.lot_id(), claim.run)]
    assert {way.lot.lot for each in traces for way in each.milk} == {claim.lot_id()}
    assert all(each.complete for each in traces)
    assert [each.sale is None for each in traces] == [True, False, True, True]
    brought = sorted(claim.collections, key=lambda each: each.farm)
    for farm, collection in zip(traces[0].milk[0].farms, brought, strict=True):
        (meter,) = farm.meters
        assert (farm.farm, meter.device) == (collection.farm, collection.meter.device)
        assert facts(meter.step) == chain.step(minted)


def test_milk_of_the_opening_stock_says_that_no_readings_are_behind_it(chain):
    stock = chain.dairy.genesis.stock[0].lot_id()
    sold, _ = chain.do(ALICE, chain.dairy.pay(TO_BOB, 10, (stock, 7)))
    (found,) = trace(chain.store, sold).milk
    assert found.lot.stock
    assert (found.run, found.tank, found.farms) == (None, None, ())
    assert (found.lot.minted.height, found.lot.minted.txid) == (0, None)


def test_what_has_no_milk_behind_it_is_told_apart_from_what_is_unknown(chain):
    paid, _ = chain.do(ALICE, chain.dairy.pay(TO_BOB, 10))
    failed, code = chain.do(ALICE, chain.dairy.pay(TO_BOB, 10, (bytes(32), 7)))
    assert code == "unknown_lot"
    with pytest.raises(NoMilkBehind, match="redeems none"):
        trace(chain.store, paid)
    with pytest.raises(NoMilkBehind, match="it failed: unknown_lot"):
        trace(chain.store, failed)
    with pytest.raises(UnknownSubject, match="no sale, pack, lot or run"):
        trace(chain.store, bytes(32))


def test_a_pruned_store_still_names_the_blocks_and_says_that_it_knows_less():
    chain = Walk(Dairy(), MemoryStore(keep_blocks=2))
    claim = chain.dairy.claim()
    minted, _ = chain.do(chain.dairy.mmu, chain.dairy.mint(claim))
    where = chain.step(minted)
    for _ in range(3):
        chain.block()
    whole = trace(chain.store, claim.lot_id())
    (found,) = whole.milk
    assert facts(found.lot.minted) == (*where[:3], None)
    assert (found.run, found.complete, whole.complete) == (None, False, False)
    assert [farm.farm for farm in found.farms] == sorted(FARMS)
    with pytest.raises(PrunedBlock):
        trace(chain.store, minted)
