"""Stores: memory and disk answer alike, a commit is whole, and a foreign store is refused."""

import dataclasses

import pytest
from msgspec.structs import replace

from ledger.errors.store import DamagedStore, EmptyStore, ForeignStore, LockedStore, WrongSchema
from ledger.genesis import genesis_block, genesis_state
from ledger.invariants import audit
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.state import Overlay, state_root
from ledger.state.records import Account
from ledger.state.tables import ACCOUNTS, account
from ledger.store import MemoryStore
from ledger.store.disk import DiskStore
from ledger.store.leveldb import plyvel
from ledger.store.schema import (
    BLOCK,
    HEADER,
    RECEIPTS,
    SCHEMA_VERSION,
    VERSION_KEY,
    height_key,
)
from ledger.types.block import Block
from ledger.types.registry import RegisterDevice
from tests.support.ledger.dairy import NOW_MS, PLANT, Chain, Dairy, bill, key
from tests.support.ledger.milking import Milking, make_lots

GARBLED_TEXT = encode([[bytes(32), "code", 0]]).replace(b"code", b"\xff\xff\xff\xff")
"""Receipts whose code is no UTF-8."""
ALICE, BOB = key("alice"), key("bob")
TO_ALICE, TO_BOB = address_of(ALICE.public), address_of(BOB.public)


@pytest.fixture(params=["memory", "disk"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else DiskStore(tmp_path / "store")
    yield made
    made.close()
    made.close()


@pytest.fixture
def chain(store):
    return Chain(Dairy(), store)


def pay(chain, count=1, units=5):
    """Pay bob from alice, `count` transactions in one block."""
    dairy = chain.dairy
    nonce = account(chain.store, TO_ALICE).nonce
    made = [dairy.transaction(dairy.pay(TO_BOB, units), ALICE, nonce + i) for i in range(count)]
    chain.block(*made)
    return made


def test_an_empty_store_has_no_head(store):
    assert store.head() is None
    assert store.block(0) is None
    with pytest.raises(EmptyStore):
        store.check_chain(bytes(32))


def test_a_chain_begins_at_block_0_and_only_once(store):
    dairy = Dairy()
    head = store.init_genesis(dairy.genesis)
    assert (head.height, head.view, head.hash) == (0, 0, genesis_block(dairy.genesis).header.hash())
    assert head.chain_id == dairy.chain_id
    assert state_root(store.accumulator) == head.state_root
    begun = genesis_state(dairy.genesis).changes.items()
    assert dict(store.state()) == {name: raw for name, raw in begun if raw is not None}
    assert store.block(0).block == genesis_block(dairy.genesis)
    Chain(dairy, store).block()
    assert store.init_genesis(dairy.genesis).height == 1


def test_another_chains_store_is_refused(store):
    store.init_genesis(Dairy().genesis)
    other = replace(Dairy().genesis, name="other")
    with pytest.raises(ForeignStore, match="name another directory"):
        store.init_genesis(other)


def test_a_committed_block_is_found_by_height_hash_and_transaction(chain):
    store = chain.store
    (paid,) = pay(chain)
    found = store.block(1)
    assert found.block.transactions == (encode(paid),)
    assert found.raw == encode(found.block)
    assert found.receipts[0].txid == paid.id
    assert found.finalization == b"f"
    assert store.block(1) is found
    head = store.head()
    assert (head.height, head.hash, head.finalization) == (1, found.block.header.hash(), b"f")
    assert store.height_of(head.hash) == 1
    record = store.transaction(paid.id)
    assert (record.height, record.index, record.raw) == (1, 0, encode(paid))
    assert record.receipt.code == ""
    assert store.height_of(bytes(32)) is None
    assert store.transaction(bytes(32)) is None
    assert store.block(2) is None
    assert store.block(-1) is None


def test_several_blocks_commit_in_one_batch(chain):
    dairy, store = chain.dairy, chain.store
    first = dairy.transaction(dairy.pay(TO_BOB, 1), ALICE, 0)
    second = dairy.transaction(dairy.pay(TO_BOB, 2), ALICE, 1)
    one, _ = chain.execute(store, store.head(), [first], finalization=b"")
    parent = Overlay(store)
    for changed, value in one.changes.items():
        parent.put(changed, value)
    header = one.block.header
    at = replace(store.head(), height=1, hash=header.hash(), view=header.view)
    two, _ = chain.execute(parent, at, [second])
    head = store.commit([one, two])
    assert head.height == 2
    assert store.block(1).finalization is None
    assert store.block(2).finalization == b"f"
    assert account(store, TO_BOB).units == bill(50) + 3
    assert state_root(store.accumulator) == head.state_root == two.block.header.state_root


def test_a_commit_that_does_not_continue_the_chain_is_a_bug(chain):
    step, _ = chain.execute(chain.store, chain.store.head(), [])
    chain.store.commit([step])
    with pytest.raises(AssertionError, match="gap"):
        chain.store.commit([step])
    with pytest.raises(AssertionError):
        chain.store.commit([])


def test_a_removed_record_is_gone_from_the_store(chain):
    step, _ = chain.execute(chain.store, chain.store.head(), [])
    name = ACCOUNTS.prefix + bytes(32)
    added = Overlay(chain.store)
    ACCOUNTS.put(added, Account(Units(0), 1), bytes(32))
    header = replace(step.block.header, state_root=added.root())
    step = dataclasses.replace(
        step, block=Block(header, ()), changes=added.changes, accumulator=added.accumulator
    )
    chain.store.commit([step])
    assert chain.store.get(name) is not None
    removed = Overlay(chain.store)
    removed.put(name, None)
    header = replace(header, height=2, parent_hash=header.hash(), state_root=removed.root())
    step = dataclasses.replace(
        step, block=Block(header, ()), changes=removed.changes, accumulator=removed.accumulator
    )
    chain.store.commit([step])
    assert chain.store.get(name) is None
    assert name not in dict(chain.store.state())


def test_history_is_paged_newest_first(chain):
    made = [txn for count in (2, 3) for txn in pay(chain, count)]
    ids = [txn.id for txn in reversed(made)]
    first = chain.store.history(TO_BOB, limit=2)
    assert [entry.txid for entry in first] == ids[:2]
    rest = chain.store.history(TO_BOB, (first[-1].height, first[-1].index))
    assert [entry.txid for entry in rest] == ids[2:]
    assert [entry.txid for entry in chain.store.history(TO_ALICE)] == ids
    assert chain.store.history(bytes(32)) == []


def test_every_party_of_a_mint_and_a_registration_has_it_in_its_history(chain):
    dairy = chain.dairy
    batch = Milking(dairy).next()
    steps = [dairy.transaction(body, dairy.mmu, n) for n, (_, body) in enumerate(batch.steps)]
    body = RegisterDevice(key("n").public, "milk_meter", PLANT, TO_BOB, NOW_MS * 2)
    registered = dairy.transaction(body, dairy.regulator, 0)
    chain.block(*steps, registered)
    *collections, mint = (each.id for each in steps)
    for farm, collected in zip(dairy.farm_keys, collections, strict=True):
        history = chain.store.history(address_of(farm.public))
        assert [entry.txid for entry in history] == [mint, collected]
    assert [e.txid for e in chain.store.history(TO_BOB)] == [registered.id]


def test_lots_are_listed_newest_first_with_what_remains(chain):
    dairy = chain.dairy
    old, lot = make_lots(chain, 2)
    chain.block(dairy.transaction(dairy.pay(TO_BOB, 10, (lot, 7)), ALICE, 0))
    listed = chain.store.lots(2)
    assert [entry.id for entry in listed] == [lot, old]
    assert listed[0].lot.remaining_units == bill(100) - 7
    assert len(chain.store.lots()) == 4


def test_a_long_chain_is_remembered_in_part_and_answers_in_whole(chain):
    for _ in range(12):
        pay(chain)
    assert [chain.store.block(h).block.header.height for h in range(13)] == list(range(13))


def test_the_stored_state_passes_its_audit(chain):
    pay(chain, 3)
    found = audit(chain.store.state(), chain.store.accumulator)
    assert found.findings == []
    assert found.held_units == found.remaining_units == found.minted_units - found.redeemed_units


def test_a_disk_store_goes_on_where_it_was(tmp_path):
    dairy = Dairy()
    with_first = DiskStore(tmp_path / "store")
    chain = Chain(dairy, with_first)
    (paid,) = pay(chain)
    head, accumulator = with_first.head(), with_first.accumulator
    with_first.close()
    again = DiskStore(tmp_path / "store")
    assert again.head() == head
    assert again.accumulator == accumulator
    assert again.transaction(paid.id).height == 1
    pay(Chain(dairy, again))
    assert again.head().height == 2
    again.close()


def test_a_memory_store_goes_on_over_the_cells_of_another():
    cells = {}
    pay(Chain(Dairy(), MemoryStore(cells)))
    again = MemoryStore(cells)
    assert again.head().height == 1
    pay(Chain(Dairy(), again))
    assert MemoryStore(cells).head().height == 2


def test_memory_and_disk_hold_the_same(tmp_path):
    stores = MemoryStore(), DiskStore(tmp_path / "store")
    heads = []
    for each in stores:
        pay(Chain(Dairy(), each), 4)
        heads.append((each.head(), dict(each.state())))
    stores[1].close()
    assert heads[0] == heads[1]


def test_a_store_in_use_and_a_file_in_its_place_are_told(tmp_path):
    held = DiskStore(tmp_path / "store")
    with pytest.raises(LockedStore, match="store"):
        DiskStore(tmp_path / "store")
    held.close()
    (tmp_path / "file").write_text("no directory")
    with pytest.raises(LockedStore):
        DiskStore(tmp_path / "file")


@pytest.mark.parametrize("prefix", [BLOCK, RECEIPTS, HEADER])
def test_a_block_that_does_not_decode_is_told_as_damage(prefix):
    cells = {}
    Chain(Dairy(), MemoryStore(cells)).block()
    for garbage in (b"\xc1", GARBLED_TEXT):
        cells[height_key(prefix, 1)] = garbage
        with pytest.raises(DamagedStore, match="block 1 does not decode"):
            MemoryStore(cells).header(1)


def test_a_store_of_another_schema_is_refused_and_let_go(tmp_path):
    with plyvel.DB(str(tmp_path / "store"), create_if_missing=True) as raw:
        raw.put(VERSION_KEY, bytes([SCHEMA_VERSION + 1]))
    for _ in range(2):
        with pytest.raises(WrongSchema, match=f"schema {SCHEMA_VERSION + 1:02x}"):
            DiskStore(tmp_path / "store")
