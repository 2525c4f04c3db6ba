"""What a store finds: blocks by time, lots by farm, pages; and what it still knows when pruned."""

import pytest

from ledger.errors.store import DamagedStore, MissingStore, PrunedBlock
from ledger.primitives.hashing import Domain
from ledger.primitives.keys import address_of
from ledger.rules.context import Call
from ledger.state.tables import account
from ledger.store import MemoryStore
from ledger.store.disk import DiskStore
from ledger.store.pruning import PRUNED_AT_ONCE
from ledger.store.schema import BLOCK, KEPT_KEY, RECEIPTS, height_key
from ledger.types.milk import PackLot
from tests.support.ledger.dairy import GENESIS_MS, NOW_MS, Chain, Dairy, bill, key
from tests.support.ledger.milking import make_lots

ALICE, BOB = key("alice"), key("bob")
TO_ALICE, TO_BOB = address_of(ALICE.public), address_of(BOB.public)


@pytest.fixture(params=["memory", "disk"])
def make_store(request, tmp_path):
    made = []

    def make(keep_blocks=0):
        if request.param == "memory":
            store = MemoryStore(keep_blocks=keep_blocks)
        else:
            store = DiskStore(tmp_path / f"store-{len(made)}", keep_blocks=keep_blocks)
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


def pay(chain, count=1):
    dairy, nonce = chain.dairy, account(chain.store, TO_ALICE).nonce
    made = [dairy.transaction(dairy.pay(TO_BOB, 5), ALICE, nonce + i) for i in range(count)]
    chain.block(*made)
    return made


def test_the_block_of_a_time_is_the_last_that_is_not_after_it(make_store):
    chain = Chain(Dairy(), make_store())
    for step_ms in (0, 10, 500):
        chain.block(time_ms=NOW_MS + step_ms)
    at = chain.store.height_at
    assert at(GENESIS_MS - 1) is None
    assert (at(GENESIS_MS), at(NOW_MS - 1)) == (0, 0)
    assert (at(NOW_MS), at(NOW_MS + 9), at(NOW_MS + 10), at(NOW_MS + 499)) == (1, 1, 2, 2)
    assert at(2**53) == 3


def test_lots_are_found_by_every_farm_whose_milk_is_in_them_page_by_page(make_store):
    chain = Chain(Dairy(), make_store())
    farms = [address_of(k.public) for k in chain.dairy.farm_keys]
    ids = make_lots(chain, 3)[::-1]
    for farm in farms:
        first = chain.store.farm_lots(farm, 2)
        rest = chain.store.farm_lots(farm, 2, (first[-1].lot.height, first[-1].id))
        assert [entry.id for entry in (*first, *rest)] == ids
    assert chain.store.farm_lots(TO_BOB) == []
    newest = chain.store.lots(1)
    assert [e.id for e in chain.store.lots(2, (newest[0].lot.height, newest[0].id))] == ids[1:]


def test_product_lots_are_found_by_their_lot_page_by_page(make_store):
    chain = Chain(Dairy(), make_store())
    dairy = chain.dairy
    lot, other = make_lots(chain, 2)
    packs, begin = [], account(chain.store, address_of(dairy.mmu.public)).nonce
    for nonce in range(begin, begin + 3):
        chain.block(dairy.transaction(PackLot(lot, 10, bill(1)), dairy.mmu, nonce))
        packs.append(Call(address_of(dairy.mmu.public), nonce, 0).name(Domain.PRODUCT))
    chain.block(dairy.transaction(dairy.pay(TO_BOB, 9, (packs[0], 7)), ALICE, 0))
    first = chain.store.products(lot, 2)
    rest = chain.store.products(lot, 2, (first[-1].product.height, first[-1].id))
    assert [entry.id for entry in (*first, *rest)] == packs[::-1]
    assert [entry.product.sold_units for entry in (*first, *rest)] == [0, 0, 7]
    assert {entry.lot.packed_unsold_units for entry in first} == {bill(30) - 7}
    assert chain.store.products(other) == chain.store.products(packs[0]) == []
    assert chain.store.lot(lot).lot.packed_units == bill(30)
    assert chain.store.lot(packs[0]) is None


def test_sold_milk_does_not_change_the_order_of_lots(make_store):
    chain = Chain(Dairy(), make_store())
    dairy = chain.dairy
    old, _ = make_lots(chain, 2)
    before = [entry.id for entry in chain.store.lots()]
    chain.block(dairy.transaction(dairy.pay(TO_BOB, 9, (old, 7)), ALICE, 0))
    assert [entry.id for entry in chain.store.lots()] == before


def test_pruning_keeps_headers_finalizations_and_where_transactions_are(make_store):
    whole, pruned = Chain(Dairy(), make_store()), Chain(Dairy(), make_store(keep_blocks=3))
    for _ in range(6):
        (paid,) = pay(whole)
        pay(pruned)
    store = pruned.store
    assert store.kept_from == 4
    assert [store.block(h) is None for h in range(7)] == [False, *[True] * 3, *[False] * 3]
    for height in range(7):
        assert store.header(height) == whole.store.header(height)
        assert store.finalization(height) == whole.store.finalization(height)
        assert store.height_of(store.header(height).hash()) == height
    assert store.history(TO_BOB) == whole.store.history(TO_BOB)
    assert store.head() == whole.store.head()
    assert store.accumulator == whole.store.accumulator
    first = store.history(TO_BOB)[-1]
    assert store.place_of(first.txid).height == 1
    with pytest.raises(PrunedBlock, match="bodies are kept from 4"):
        store.transaction(first.txid)
    assert store.transaction(paid.id).height == 6
    assert store.header(7) is None


def test_a_policy_set_late_prunes_a_bounded_number_a_commit():
    cells = {}
    chain = Chain(Dairy(), MemoryStore(cells))
    for _ in range(PRUNED_AT_ONCE + 10):
        chain.block()
    late = Chain(Dairy(), MemoryStore(cells, keep_blocks=2))
    late.block()
    assert late.store.kept_from == 1 + PRUNED_AT_ONCE
    late.block()
    head = late.store.head().height
    assert late.store.kept_from == head - 1
    assert sum(key[:1] == BLOCK for key in cells) == sum(key[:1] == RECEIPTS for key in cells) == 3
    again = MemoryStore(cells)
    assert again.kept_from == head - 1
    Chain(Dairy(), again).block()
    assert again.kept_from == head - 1, "without a policy nothing more goes"
    assert cells[KEPT_KEY] == (head - 1).to_bytes(8, "big")


def test_blocks_of_one_commit_are_never_pruned_by_it():
    chain = Chain(Dairy(), MemoryStore(keep_blocks=1))
    steps = [chain.execute(chain.store, chain.store.head(), [])[0]]
    chain.store.commit(steps)
    assert chain.store.block(1) is not None
    chain.block()
    assert chain.store.block(1) is None
    assert chain.store.block(2) is not None


def test_a_strict_store_must_be_there(tmp_path):
    with pytest.raises(MissingStore, match="no store at"):
        DiskStore(tmp_path / "none", strict=True)
    assert not (tmp_path / "none").exists()


def test_a_flipped_byte_on_disk_is_told_as_damage(tmp_path):
    store = DiskStore(tmp_path / "store")
    chain = Chain(Dairy(), store)
    for _ in range(3):
        pay(chain, 20)
    store.close()
    (log,) = (tmp_path / "store").glob("*.log")
    raw = bytearray(log.read_bytes())
    raw[len(raw) // 2] ^= 1
    log.write_bytes(raw)
    with pytest.raises(DamagedStore, match="move it away"):
        DiskStore(tmp_path / "store", strict=True)


def test_a_missing_cell_reads_as_nothing(make_store):
    chain = Chain(Dairy(), make_store())
    chain.block()
    assert chain.store.cell(height_key(BLOCK, 1)) == chain.store.block(1).raw
    assert chain.store.cell(height_key(BLOCK, 9)) is None
    assert [key for key, _ in chain.store.cells(BLOCK)] == [height_key(BLOCK, h) for h in (0, 1)]
