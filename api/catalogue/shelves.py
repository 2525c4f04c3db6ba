"""From which lots an order's milk is taken: pure, over what each lot has left.

Packs come first, loose milk after, in both what goes off first. A pack is filled from one lot, so
what an order takes of a lot is a number of whole packs, and a lot with less than a pack is passed
over. An order takes from at most `REDEMPTIONS_MAX` lots, since one payment redeems no more.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.orders.model import Part, ReturnedPart
from ledger.types.transfer import REDEMPTIONS_MAX


@dataclass(slots=True)
class Shelf:
    """A lot with milk left for new orders; `free_units` shrinks as orders take of it."""

    id: bytes
    kind: str
    pack_units: int
    """The size of its packs, or 0 for loose milk."""
    free_units: int
    taken_units: int = 0

    def take(self, units: int) -> None:
        """Take milk, or give it back with a number below 0."""
        self.free_units -= units
        self.taken_units += units


@dataclass(frozen=True, slots=True)
class Packs:
    """So many packs of a size, of one kind of milk."""

    kind: str
    pack_units: int
    count: int


@dataclass(slots=True)
class ReturnedShelf:
    """Packs of a merchant that came back, whose milk is burned; `free_packs` shrinks."""

    ref_id: str
    lot: bytes
    kind: str
    pack_units: int
    free_packs: int


def draw_returned(
    shelves: Sequence[ReturnedShelf], wanted: Iterable[Packs]
) -> tuple[ReturnedPart, ...]:
    """Take all of an order's packs from those that came back; nothing if they are too few.

    An order is of such packs alone or of none: a payment redeems all of its milk, or no milk.
    """
    taken: list[tuple[ReturnedShelf, int]] = []
    for packs in wanted:
        left = packs.count
        for shelf in shelves:
            if (shelf.kind, shelf.pack_units) == (packs.kind, packs.pack_units):
                count = min(left, shelf.free_packs)
                shelf.free_packs -= count
                left -= count
                taken.append((shelf, count))
        if left:
            for shelf, count in taken:
                shelf.free_packs += count
            return ()
    return tuple(
        ReturnedPart(shelf.ref_id, shelf.lot.hex(), shelf.kind, shelf.pack_units, count)
        for shelf, count in taken
        if count
    )


def draw(shelves: Sequence[Shelf], wanted: Iterable[Packs]) -> tuple[Part, ...] | None:
    """Take an order's milk off shelves that stand in the order of their dates.

    Gives the parts by ascending lot, as the ledger wants them; None, and nothing is taken, when
    there is not enough.
    """
    asked = tuple(wanted)
    # What goes off first, first; if that needs too many lots, those that hold most.
    for fullest_first in (False, True):
        taken: dict[bytes, tuple[Shelf, int]] = {}
        whole = all(_fill(shelves, packs, taken, fullest_first) for packs in asked)
        if whole and len(taken) <= REDEMPTIONS_MAX:
            return tuple(
                Part(shelf.id.hex(), units, shelf.kind)
                for _, (shelf, units) in sorted(taken.items())
            )
        for shelf, units in taken.values():
            shelf.take(-units)
    return None


def _fill(
    shelves: Sequence[Shelf],
    packs: Packs,
    taken: dict[bytes, tuple[Shelf, int]],
    fullest_first: bool,
) -> bool:
    """Take packs of one size; tell whether there were enough."""
    left = packs.count
    fitting = [s for s in shelves if s.kind == packs.kind and s.pack_units in (0, packs.pack_units)]
    fitting.sort(key=lambda shelf: (shelf.pack_units == 0, -shelf.free_units * fullest_first))
    for shelf in fitting:
        if not left:
            break
        count = min(left, shelf.free_units // packs.pack_units)
        if count > 0:
            units = count * packs.pack_units
            shelf.take(units)
            taken[shelf.id] = (shelf, taken.get(shelf.id, (shelf, 0))[1] + units)
            left -= count
    return not left
