"""The validators of one epoch and the arithmetic of their stake, for ledger and consensus alike.

Stake is summed, never heads counted. Members stand in ascending order of their vote key; a
member's index in that order is its name in votes, certificates and bitmaps of the epoch.
"""

from functools import cached_property
from typing import Annotated, Final, NewType

from msgspec import Meta, Struct

from ledger.primitives.amounts import UNITS_MAX
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import PublicKey, WirePublicKey

Member = NewType("Member", int)
"""A validator's index in the committee of an epoch."""

COMMITTEE_MAX: Final = 128

WireMember = Annotated[Member, Meta(ge=0, lt=COMMITTEE_MAX)]


class Seat(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One validator of an epoch: the key it votes with, its VRF key, its stake in units."""

    key: WirePublicKey
    vrf_key: WirePublicKey
    stake: Annotated[int, Meta(ge=1, le=UNITS_MAX)]


class Committee(Struct, frozen=True, array_like=True, dict=True):
    """The validators of one epoch. `quorum` is the least stake above two thirds (spec §1).

    Its maker gives 1 to `COMMITTEE_MAX` seats in ascending order of key, each key once;
    `is_ordered` tells.
    """

    seats: tuple[Seat, ...]

    @property
    def is_ordered(self) -> bool:
        """Tell whether the seats stand in the order that gives every member its index."""
        keys = [seat.key for seat in self.seats]
        return 1 <= len(keys) <= COMMITTEE_MAX and keys == sorted(set(keys))

    @cached_property
    def total(self) -> int:
        """Sum the stake of the epoch: W."""
        return sum(seat.stake for seat in self.seats)

    @cached_property
    def quorum(self) -> int:
        """Give floor(2W/3) + 1."""
        return 2 * self.total // 3 + 1

    @cached_property
    def hash(self) -> Hash:
        """Commit to the seats, for headers."""
        return digest(Domain.COMMITTEE, encode(self.seats))

    @cached_property
    def _index(self) -> dict[PublicKey, Member]:
        return {seat.key: Member(i) for i, seat in enumerate(self.seats)}

    def member(self, key: PublicKey) -> Member | None:
        """Find the index of a vote key, or None."""
        return self._index.get(key)

    def seat(self, key: PublicKey) -> Seat | None:
        """Find the seat of a vote key, or None."""
        place = self._index.get(key)
        return None if place is None else self.seats[place]

    def stake(self, member: Member) -> int:
        """Give a member's stake."""
        return self.seats[member].stake
