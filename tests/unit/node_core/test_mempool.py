"""The pool keeps order, bounds and readiness, whatever comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address, Policy, Seed, SigningKey
from ledger.types.transaction import Intent, sign
from ledger.types.transfer import Basket, Redemption, Transfer
from node.core import mempool
from node.core.mempool import NONCE_AHEAD_MAX, Mempool, PoolFault, Waiting

KEYS = [SigningKey(Seed(bytes([n]) * 32)) for n in range(1, 5)]


LOTS = [Hash(bytes([n]) * 32) for n in (1, 2, 3)]


def waiting(
    sender: int, nonce: int, *, units: int = 1, valid_until: int = 100, redeem: Basket = ()
) -> Waiting:
    body = Transfer(Address(ZERO_HASH), Units(units), bytes(32), redeem)
    policy = Policy.single(KEYS[sender].public)
    transaction = sign(Intent(ZERO_HASH, policy, nonce, Units(1), valid_until, body), KEYS[sender])
    return Waiting(transaction.id, transaction, encode(transaction), transaction.sender, 0)


def code_of(pool: Mempool, entry: Waiting, state_nonce: int = 0) -> str:
    try:
        pool.add(entry, state_nonce)
    except PoolFault as fault:
        return fault.code
    return ""


def test_a_transaction_is_taken_once() -> None:
    pool, entry = Mempool(), waiting(0, 0)
    assert code_of(pool, entry) == ""
    assert code_of(pool, entry) == "already_known"
    assert code_of(pool, waiting(0, 0, units=2)) == "nonce_taken"
    assert len(pool) == 1


@given(st.data())
def test_what_waits_to_be_redeemed_is_what_the_waiting_redeem(data: st.DataObject) -> None:
    pool, kept = Mempool(), list[Waiting]()
    for nonce in range(data.draw(st.integers(1, 8))):
        parts = st.dictionaries(st.sampled_from(LOTS), st.integers(1, 9))
        basket = sorted(data.draw(parts).items())
        redeem = tuple(Redemption(lot, Units(units)) for lot, units in basket)
        kept.append(waiting(nonce % 2, nonce // 2, redeem=redeem, valid_until=50 + nonce))
        pool.add(kept[-1], 0)
    pool.finalized(kept[0].sender, data.draw(st.integers(0, 3)))
    pool.drop(data.draw(st.sampled_from(kept)).id)
    pool.expire(data.draw(st.integers(50, 60)))
    for lot in LOTS:
        left = [entry.transaction.intent.body for entry in kept if entry.id in pool]
        parts = [part for body in left for part in body.redeem if part.lot == lot]
        assert pool.reserved_units(lot) == sum(part.units for part in parts)
    for entry in kept:
        pool.drop(entry.id)
    assert [pool.reserved_units(lot) for lot in LOTS] == [0, 0, 0]


def test_a_nonce_out_of_reach_is_refused_with_the_one_expected() -> None:
    pool = Mempool()
    pool.add(waiting(0, 7), 7)
    with pytest.raises(PoolFault, match="where 8 is next"):
        pool.add(waiting(0, 6), 7)
    with pytest.raises(PoolFault, match="where 8 is next"):
        pool.add(waiting(0, 8 + NONCE_AHEAD_MAX + 1), 7)
    assert pool.expected_nonce(waiting(0, 0).sender, 7) == 8


def test_what_waits_for_an_earlier_nonce_is_not_ready() -> None:
    pool = Mempool()
    pool.add(waiting(0, 1), 0)
    assert not pool.has_ready(())
    first = waiting(0, 0)
    pool.add(first, 0)
    assert pool.has_ready({first.id})


def test_a_dropped_transaction_unreadies_those_after_it() -> None:
    pool = Mempool()
    entries = [waiting(0, nonce) for nonce in range(3)]
    for entry in entries:
        pool.add(entry, 0)
    pool.drop(entries[0].id)
    assert not pool.has_ready(())
    pool.add(entries[0], 0)
    assert pool.has_ready({entries[0].id})


def test_senders_take_turns_after_a_block() -> None:
    pool = Mempool()
    for sender in (0, 1):
        for nonce in (0, 1):
            pool.add(waiting(sender, nonce), 0)
    pool.finalized(waiting(0, 0).sender, 0)
    assert [sender for sender, _ in pool.queues()] == [waiting(1, 0).sender, waiting(0, 0).sender]


def test_expired_transactions_leave() -> None:
    pool = Mempool()
    pool.add(waiting(0, 0, valid_until=5), 0)
    pool.add(waiting(1, 0, valid_until=9), 0)
    pool.expire(6)
    assert [sender for sender, _ in pool.queues()] == [waiting(1, 0).sender]


def test_a_full_pool_and_a_full_sender_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mempool, "PER_SENDER_MAX", 2)
    monkeypatch.setattr(mempool, "COUNT_MAX", 3)
    pool = Mempool()
    assert [code_of(pool, waiting(0, n)) for n in range(3)] == ["", "", "too_many_waiting"]
    assert [code_of(pool, waiting(1, n)) for n in range(2)] == ["", "pool_full"]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "drop", "final"]),
        st.integers(0, 3),
        st.integers(0, 6),
    ),
    max_size=40,
)


@given(ACTIONS)
def test_ready_are_exactly_the_unbroken_runs(actions: list[tuple[str, int, int]]) -> None:
    pool = Mempool()
    model: dict[int, set[int]] = {s: set() for s in range(4)}
    floor = dict.fromkeys(range(4), 0)
    for action, sender, nonce in actions:
        entry = waiting(sender, nonce)
        if action == "add" and code_of(pool, entry, floor[sender]) == "":
            model[sender].add(nonce)
        elif action == "drop" and nonce in model[sender]:
            pool.drop(entry.id)
            model[sender].discard(nonce)
        elif action == "final":
            pool.finalized(entry.sender, nonce)
            floor[sender] = max(floor[sender], nonce + 1)
            model[sender] = {n for n in model[sender] if n > nonce}
        ready = set()
        for who, nonces in model.items():
            at = floor[who]
            while at in nonces:
                ready.add(waiting(who, at).id)
                at += 1
        assert pool.has_ready(()) == bool(ready)
        assert not pool.has_ready(ready)
        assert len(pool) == sum(map(len, model.values()))
