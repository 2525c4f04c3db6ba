"""Who leads a view: a pure function of seed, committee and view (spec §4.1).

An epoch has 1,024 slots. Each member gets its share of them by the largest remainder of its
stake, and the seed shuffles their order. A withheld seed can permute the order, never the shares.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import count
from struct import Struct as Packer
from typing import Final, TypeVar

from ledger.primitives.committee import Committee, Member
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.scalars import Epoch, View

SLOTS: Final = 1_024
_WORD_BYTES: Final = 8
_WORDS: Final = Packer(">4Q")
"""One hash is so many words to draw with."""
SCHEDULES_REMEMBERED_MAX: Final = 8
"""Epochs whose slots are kept at hand: the current one, and those that are checked beside it."""
_PLACE: Final = Packer(">QQ")

T = TypeVar("T")


def first_seed(chain_id: Hash) -> Hash:
    """Derive the seed of epoch 0, which no earlier epoch could seed; the state has the others."""
    return digest(Domain.SEED, chain_id)


def draw_bytes(seed: Hash, epoch: Epoch, view: View) -> bytes:
    """Give the input of the VRF with which a view's leader draws for later seeds (spec §4.2).

    Nothing in it is the leader's to choose: it can keep its draw back, but not pick another.
    """
    return Domain.SEED.value + seed + _PLACE.pack(epoch, view)


def quotas(stakes: Sequence[int], slots: int = SLOTS) -> list[int]:
    """Share the slots by stake: whole shares first, then the largest remainders.

    Equal remainders go to the lower index. The sum is exactly `slots`.
    """
    total = sum(stakes)
    shares = [stake * slots // total for stake in stakes]
    rests = sorted(range(len(stakes)), key=lambda i: (-(stakes[i] * slots % total), i))
    for index in rests[: slots - sum(shares)]:
        shares[index] += 1
    return shares


def shuffle(items: Sequence[T], seed: Hash) -> list[T]:
    """Permute by Fisher and Yates, drawing from `H(seed, 0), H(seed, 1), ...`.

    A draw below n is `word * n >> 64`: its bias is under 2^-53, and there is no rejection loop
    whose length others would have to guess.
    """
    shuffled = list(items)
    words = _draw_words(seed)
    for last in range(len(shuffled) - 1, 0, -1):
        pick = next(words) * (last + 1) >> 64
        shuffled[last], shuffled[pick] = shuffled[pick], shuffled[last]
    return shuffled


def _draw_words(seed: Hash) -> Iterator[int]:
    for block in count():
        yield from _WORDS.unpack(digest(Domain.SCHEDULE, seed, block.to_bytes(_WORD_BYTES, "big")))


@lru_cache(SCHEDULES_REMEMBERED_MAX)
def _seat_slots(seed: Hash, stakes: tuple[int, ...]) -> tuple[Member, ...]:
    """Deal the slots out; a node asks for an epoch's several times."""
    slots = [Member(i) for i, share in enumerate(quotas(stakes)) for _ in range(share)]
    return tuple(shuffle(slots, seed))


class Schedule:
    """The leaders of one epoch, by view; slots repeat after 1,024 views."""

    __slots__ = ("_slots",)

    def __init__(self, seed: Hash, committee: Committee) -> None:
        self._slots = _seat_slots(seed, tuple(seat.stake for seat in committee.seats))

    def leader(self, view: View) -> Member:
        """Name the leader of a view."""
        return self._slots[view % SLOTS]
