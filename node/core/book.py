"""The book of peers: a number for each node that this one may hear, the same through all epochs.

A committee numbers its members anew in each epoch, and a node can be a peer without a seat. So
events and effects name a peer by its place in this book: first the validators of the genesis in
their order, then whoever else was configured. Members are translated where consensus begins.
"""

from collections.abc import Iterable

from ledger.primitives.committee import Committee, Member
from ledger.primitives.keys import PublicKey


class Book:
    """Vote keys by number, and the other way round."""

    def __init__(self, first: Committee, others: Iterable[PublicKey] = ()) -> None:
        keys = dict.fromkeys([seat.key for seat in first.seats])
        keys.update(dict.fromkeys(others))
        self._keys = tuple(keys)
        self._numbers = {key: Member(number) for number, key in enumerate(self._keys)}

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, peer: Member) -> PublicKey:
        """Give the vote key of a peer."""
        return self._keys[peer]

    def number(self, key: PublicKey) -> Member | None:
        """Find the number of a vote key; None for a stranger."""
        return self._numbers.get(key)
