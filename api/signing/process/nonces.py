"""Which number a transaction bears, and what became of one. Pure.

An account's transactions are numbered without a gap, and the chain takes them in that order. A
number is given again only when the bytes that bore it can't take effect any more: their last
block is final without them, or the chain has used the number for other bytes. Both are read off
the final state of one node, the height or the account's nonce *before* the transaction: what is not
final then never will be.
"""

from collections.abc import Iterator, Set
from enum import StrEnum

from api.signing.wire import IN_FLIGHT_MAX
from node.client.views import TransactionState, TransactionView


class EntryState(StrEnum):
    """What became of signed bytes."""

    LIVE = "live"
    """They may take effect yet."""
    DONE = "done"
    """They took effect."""
    FAILED = "failed"
    """The chain took the fee and refused the rest."""
    LAPSED = "lapsed"
    """Their last block is final without them."""
    SUPERSEDED = "superseded"
    """Other bytes bear their number on the chain."""


def fate(
    view: TransactionView, nonce: int, valid_until_height: int, seen_height: int, seen_nonce: int
) -> EntryState:
    """Say what became of bytes, by what a node said before it was asked for them."""
    match view.state:
        case TransactionState.FINAL:
            return EntryState.FAILED if view.code else EntryState.DONE
        case TransactionState.PRUNED:
            return (
                EntryState.DONE
            )  # Whatever it did counts as done: too much rather than too little.
        case TransactionState.PENDING | TransactionState.UNKNOWN if seen_nonce > nonce:
            return EntryState.SUPERSEDED
        case TransactionState.PENDING | TransactionState.UNKNOWN:
            return EntryState.LAPSED if seen_height >= valid_until_height else EntryState.LIVE


def free_nonces(chain_nonce: int, taken: Set[int]) -> Iterator[int]:
    """Give the numbers that may be used now, lowest first: gaps, then what follows."""
    room = IN_FLIGHT_MAX - len(taken)
    for nonce in range(chain_nonce, chain_nonce + IN_FLIGHT_MAX):
        if room <= 0:
            return
        if nonce not in taken:
            room -= 1
            yield nonce
