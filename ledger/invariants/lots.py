"""What must hold between lots, packs and the books: every litre counted in, out, and by whom.

Only the audit looks at this, since it needs the whole state. A lot says what is left of it, its
packs what was sold; the books say how much of all left for which reason. So each bounds the other.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from ledger.invariants.place import Place
from ledger.params import DAY_MS
from ledger.primitives.keys import PublicKey, address_of
from ledger.state.dairy import Challenge, ProductLot
from ledger.state.doubt import AskedReading, Doubts
from ledger.state.proven import Proven
from ledger.state.records import Lot, Reason, Supply
from ledger.state.tables import (
    CHALLENGES,
    DOUBTED,
    DOUBTS,
    LOTS,
    MMUS,
    PRODUCTS,
    PROVEN,
    QUESTIONS,
    SUPPLY,
)

_ID_BYTES: Final = 32
SHELF_MS_MAX: Final = 401 * DAY_MS
"""The longest that any kind may keep (`ShelfDays`), and how far a run's end may be ahead."""


class LotRelations:
    """Lots, their runs, packs and doubts, what MMUs owe, and the books over all of it."""

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self.lots: dict[bytes, Lot] = {}
        self._products: list[ProductLot] = []
        self._challenges: dict[bytes, Challenge] = {}
        self._questions: dict[bytes, AskedReading] = {}
        self._doubts: dict[bytes, Doubts] = {}
        self._held: dict[bytes, int] = {}
        self._proven: dict[bytes, Proven] = {}
        self._deficit = 0
        self._books: Supply | None = None

    def take(self, prefix: bytes, name: bytes, raw: bytes) -> None:
        """Remember a record, if it is one of lots."""
        if prefix == LOTS.prefix:
            self.lots[name] = LOTS.decode(raw)
        elif prefix == PRODUCTS.prefix:
            self._products.append(PRODUCTS.decode(raw))
        elif prefix == CHALLENGES.prefix:
            self._challenges[name] = CHALLENGES.decode(raw)
        elif prefix == QUESTIONS.prefix:
            self._questions[name] = QUESTIONS.decode(raw)
        elif prefix == DOUBTS.prefix:
            self._doubts[name] = DOUBTS.decode(raw)
        elif prefix == DOUBTED.prefix:
            self._held[name] = DOUBTED.decode(raw)
        elif prefix == PROVEN.prefix:
            self._proven[name] = PROVEN.decode(raw)
        elif prefix == MMUS.prefix:
            self._deficit += MMUS.decode(raw).deficit_units
        elif prefix == SUPPLY.prefix:
            self._books = SUPPLY.decode(raw)

    def findings(self) -> Iterator[str]:
        """Say what does not agree."""
        yield from self._doubted()
        if self._books is not None:
            yield from self._booked(self._books)
        yield from self._packs()
        yield from self._proofs()
        if self._place is not None:
            yield from self._placed(self._place)

    def _doubted(self) -> Iterator[str]:
        """Doubts are counted by lot, and what they hold by MMU."""
        counted: defaultdict[bytes, list[int]] = defaultdict(lambda: [0, 0])
        for name in self._challenges:
            counted[name[:_ID_BYTES]][0] += 1
        for name in self._questions:
            counted[name[:_ID_BYTES]][1] += 1
        told = {name: [each.challenges, each.questions] for name, each in self._doubts.items()}
        if told != counted:
            yield "lots do not count the doubts about them"
        held: defaultdict[bytes, int] = defaultdict(int)
        for name, doubts in self._doubts.items():
            if name not in self.lots:
                yield f"lot {name.hex()} is doubted and is not there"
            if doubts.held_units:
                held[doubts.mmu] += doubts.held_units
            for key in self._proven[name].attestors if name in self._proven else ():
                held[address_of(PublicKey(key))] += 1
        if held != self._held:
            yield "what doubts hold of bonds is not what is in doubt"

    def _proofs(self) -> Iterator[str]:
        """A lot was minted for its intervals, and those that are void were found false."""
        for name, proven in self._proven.items():
            lot = self.lots.get(name)
            if lot is None:
                yield f"lot {name.hex()} is proven and is not there"
                continue
            void = sum(each.units for each in proven.intervals if each.void)
            if lot.false_units < min(void, lot.units):
                yield f"lot {name.hex()}: {void} units void, {lot.false_units} found false"

    def _booked(self, books: Supply) -> Iterator[str]:
        minted = sum(lot.units for lot in self.lots.values())
        if books.minted_units != minted:
            yield f"{books.minted_units} units were minted, but lots of {minted}"
        if books.deficit_units != self._deficit:
            yield f"the books lack {books.deficit_units} units, but MMUs owe {self._deficit}"
        sold = sum(product.sold_units for product in self._products)
        if books.by_reason_units[Reason.SOLD] < sold:
            yield f"{books.by_reason_units[Reason.SOLD]} units were sold, but {sold} of packs alone"
        false = sum(lot.false_units for lot in self.lots.values())
        if (fraud := books.by_reason_units[Reason.FRAUD]) > false:
            yield f"{fraud} units went as fraud, {false} were ruled false"

    def _packs(self) -> Iterator[str]:
        packed: defaultdict[bytes, int] = defaultdict(int)
        sold: defaultdict[bytes, int] = defaultdict(int)
        for product in self._products:
            packed[product.lot] += product.units
            sold[product.lot] += product.sold_units
        for name, units in packed.items():
            lot = self.lots.get(name)
            if lot is None or lot.packed_units != units:
                yield f"lot {name.hex()}: its packs hold {units} units, it says otherwise"
        for name, lot in self.lots.items():
            where = f"lot {name.hex()}"
            if lot.packed_units and name not in packed:
                yield f"{where}: {lot.packed_units} units packed, but there is no pack"
            # A loss takes loose milk first; what it leaves bounds what packs can still be sold.
            if lot.packed_unsold_units != min(lot.packed_units - sold[name], lot.remaining_units):
                yield f"{where}: {lot.packed_unsold_units} units unsold, its packs say otherwise"
            if lot.remaining_units > lot.units - max(sold[name], lot.false_units):
                yield f"{where}: {lot.remaining_units} units remain beside what is gone"

    def _placed(self, place: Place) -> Iterator[str]:
        for name, lot in self.lots.items():
            if lot.height > place.height:
                yield f"lot {name.hex()} is of block {lot.height}, which is to come"
            if lot.height and lot.expires_ms > place.time_ms + SHELF_MS_MAX:
                yield f"lot {name.hex()} keeps for longer than any milk"
        for product in self._products:
            if product.height > place.height:
                yield f"a pack of lot {product.lot.hex()} is of a block to come"
        opened = {name: doubt.opened_ms for name, doubt in self._challenges.items()}
        opened |= {name: question.asked_ms for name, question in self._questions.items()}
        for name, opened_ms in opened.items():
            if opened_ms > place.time_ms:
                yield f"lot {name[:_ID_BYTES].hex()} was doubted at a time to come"
