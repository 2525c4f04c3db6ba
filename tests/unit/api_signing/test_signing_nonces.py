"""Which numbers are free, and what became of bytes."""

import pytest

from api.signing.process.nonces import EntryState, fate, free_nonces
from api.signing.wire import IN_FLIGHT_MAX
from ledger.primitives.hashing import Hash
from node.client.views import TransactionState, TransactionView


def view(state, code=""):
    return TransactionView(Hash(bytes(32)), state, code=code)


@pytest.mark.parametrize(
    ("state", "code", "height", "nonce", "became"),
    [
        (TransactionState.FINAL, "", 99, 8, EntryState.DONE),
        (TransactionState.FINAL, "short_lot", 99, 8, EntryState.FAILED),
        (TransactionState.PRUNED, "", 99, 8, EntryState.DONE),
        (TransactionState.UNKNOWN, "", 99, 7, EntryState.LIVE),
        (TransactionState.PENDING, "", 99, 7, EntryState.LIVE),
        (TransactionState.UNKNOWN, "", 100, 7, EntryState.LAPSED),
        (TransactionState.PENDING, "", 100, 7, EntryState.LAPSED),
        (TransactionState.UNKNOWN, "", 99, 8, EntryState.SUPERSEDED),
        (TransactionState.PENDING, "", 100, 8, EntryState.SUPERSEDED),
    ],
)
def test_bytes_of_number_7_good_to_block_100(state, code, height, nonce, became):
    assert fate(view(state, code), 7, 100, height, nonce) is became


def test_gaps_are_filled_before_new_numbers_are_used():
    assert [n for n, _ in zip(free_nonces(5, {6, 8}), range(4), strict=False)] == [5, 7, 9, 10]


def test_no_more_are_on_their_way_than_a_node_keeps_and_none_is_too_far_ahead():
    assert len(list(free_nonces(5, set()))) == IN_FLIGHT_MAX
    assert not list(free_nonces(0, set(range(IN_FLIGHT_MAX))))
    ahead = set(range(10, 10 + IN_FLIGHT_MAX - 1))
    assert list(free_nonces(0, ahead)) == [0]
    assert max(free_nonces(0, {1, 2})) == IN_FLIGHT_MAX - 1
