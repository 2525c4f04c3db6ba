"""A chain replayed from its genesis gives every root that its headers say, or it is not one."""

import pytest
from msgspec.structs import replace

from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import address_of, verify_many
from ledger.replay import replay
from ledger.store import MemoryStore
from ledger.types.transaction import decode_transaction
from tests.support.ledger.dairy import Chain, Dairy, bill, key
from tests.support.ledger.milking import Milking


@pytest.fixture(scope="module")
def story():
    dairy = Dairy()
    chain = Chain(dairy, MemoryStore())
    bob = address_of(key("bob").public)
    steps = Milking(dairy).next().steps
    chain.block(*[dairy.transaction(body, sender, n) for n, (sender, body) in enumerate(steps)])
    chain.block(*[dairy.transaction(dairy.pay(bob, bill(1)), key("alice"), n) for n in range(3)])
    chain.block()
    return dairy, [chain.store.block(height).block for height in (1, 2, 3)]


def test_a_chain_replays_to_the_same_roots(story):
    dairy, blocks = story
    assert replay(dairy.genesis, blocks, verify_many) == []


@pytest.mark.parametrize("root", ["transactions", "receipts", "state"])
def test_a_root_that_is_not_what_the_block_gives_is_named(story, root):
    dairy, blocks = story
    header = replace(blocks[0].header, **{f"{root}_root": ZERO_HASH})
    found = replay(dairy.genesis, [replace(blocks[0], header=header)])
    assert found == [f"block 1: its {root} root is another than it says"]


def test_a_gap_is_no_chain(story):
    dairy, blocks = story
    assert replay(dairy.genesis, blocks[1:]) == ["block 2 does not follow block 0"]


def test_a_forged_signature_is_found_where_signatures_are_verified(story):
    dairy, blocks = story
    signed = decode_transaction(blocks[0].transactions[0])
    forged = replace(signed, signatures=((0, bytes(64)),))
    block = replace(blocks[0], transactions=(encode(forged),))
    assert replay(dairy.genesis, [block], verify_many) == ["block 1: a signature does not hold"]


def test_a_block_that_holds_what_none_may_is_named(story):
    dairy, blocks = story
    twice = replace(blocks[0], transactions=blocks[0].transactions * 2)
    assert "what no block may hold" in replay(dairy.genesis, [twice])[0]
