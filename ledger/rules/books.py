"""The books: the only place where tokens come into being or leave it.

Invariant: minted - redeemed = remaining in lots + deficit, and redeemed is the sum by reason. The
caller credits or debits accounts by the same amount.
"""

from msgspec.structs import replace

from ledger.errors.evidence import SupplyOverflow
from ledger.primitives.amounts import UNITS_MAX, Units
from ledger.state.overlay import Overlay
from ledger.state.records import Reason, Supply
from ledger.state.tables import SUPPLY, supply


def book_minted(overlay: Overlay, units: int) -> None:
    """Count milk in; raise `SupplyOverflow` beyond what can be counted."""
    books = supply(overlay)
    if books.minted_units + units > UNITS_MAX:
        raise SupplyOverflow(units=units)
    changed = replace(
        books,
        minted_units=Units(books.minted_units + units),
        remaining_units=Units(books.remaining_units + units),
    )
    SUPPLY.put(overlay, changed)


def book_gone(overlay: Overlay, units: int, burned: int, reason: Reason) -> None:
    """Count milk out of its lot; of its tokens so many were burned, the others lack milk."""
    assert 0 <= burned <= units
    books = _burn(supply(overlay), burned, reason)
    changed = replace(
        books,
        remaining_units=Units(books.remaining_units - units),
        deficit_units=Units(books.deficit_units + units - burned),
    )
    SUPPLY.put(overlay, changed)


def book_covered(overlay: Overlay, units: int) -> None:
    """Count tokens of a deficit burned after all."""
    books = _burn(supply(overlay), units, Reason.EXPIRED)
    SUPPLY.put(overlay, replace(books, deficit_units=Units(books.deficit_units - units)))


def _burn(books: Supply, units: int, reason: Reason) -> Supply:
    counts = list(books.by_reason_units)
    counts[reason] = Units(counts[reason] + units)
    one, two, three, four, five = counts
    return replace(
        books,
        redeemed_units=Units(books.redeemed_units + units),
        by_reason_units=(one, two, three, four, five),
    )
