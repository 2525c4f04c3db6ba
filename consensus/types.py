"""Plain data of consensus: views, the committee, and its quorum arithmetic.

Stake is summed, never heads counted. Members stand in ascending order of their vote key; a
member's index in that order is its name in votes, certificates and bitmaps of the epoch.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final, NewType

from msgspec import Meta, Struct

from ledger.primitives.codec import encode
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import PublicKey, WirePublicKey

Epoch = NewType("Epoch", int)
View = NewType("View", int)
Member = NewType("Member", int)
"""A validator's index in the committee of an epoch."""

GENESIS_VIEW: Final = View(0)
COMMITTEE_MAX: Final = 128

WireEpoch = Annotated[Epoch, Meta(ge=0, le=2**53)]
WireView = Annotated[View, Meta(ge=0, le=2**53)]
WireMember = Annotated[Member, Meta(ge=0, lt=COMMITTEE_MAX)]


class Seat(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One validator of an epoch: the key it votes with, its VRF key, its stake in units."""

    key: WirePublicKey
    vrf_key: WirePublicKey
    stake: Annotated[int, Meta(ge=1, le=2**63 - 1)]


@dataclass(frozen=True)
class Committee:
    """The validators of one epoch. `quorum` is the least stake above two thirds (spec §1)."""

    seats: tuple[Seat, ...]

    def __post_init__(self) -> None:
        """Hold the order that gives every member its index."""
        assert 1 <= len(self.seats) <= COMMITTEE_MAX
        keys = [seat.key for seat in self.seats]
        assert keys == sorted(set(keys)), "seats stand in ascending order of key, each once"

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

    def stake(self, member: Member) -> int:
        """Give a member's stake."""
        return self.seats[member].stake


class BlockRef(Struct, frozen=True, gc=False):
    """A block as consensus knows it: its view and its hash.

    A `Struct` though it never travels: it is made and looked up by many rules on every event.
    """

    view: View
    hash: Hash
