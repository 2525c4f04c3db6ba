"""Lots and product lots as a node shows them: what is left of each, and what waits to be sold."""

from collections.abc import Callable

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.store.answers import LotEntry, ProductEntry
from node.client.views import LotView, ProductLotView

Reserved = Callable[[Hash], int]
"""Counts what waiting transactions would redeem of a lot or product lot."""


def lot_view(entry: LotEntry, reserved: Reserved) -> LotView:
    """Show a lot."""
    lot = entry.lot
    return LotView(
        id=entry.id,
        kind=lot.kind,
        plant=lot.plant,
        line=lot.line,
        height=lot.height,
        minted_units=lot.units,
        remaining_units=lot.remaining_units,
        loose_units=Units(lot.remaining_units - lot.packed_unsold_units),
        packed_unsold_units=lot.packed_unsold_units,
        reserved_units=Units(reserved(entry.id)),
        expires_ms=lot.expires_ms,
        status=lot.status,
    )


def product_view(entry: ProductEntry, reserved: Reserved) -> ProductLotView:
    """Show a product lot."""
    product = entry.product
    unsold = product.units - product.sold_units
    return ProductLotView(
        id=entry.id,
        lot=Hash(product.lot),
        height=product.height,
        packs=product.packs,
        pack_units=product.pack_units,
        sold_units=product.sold_units,
        left_units=Units(min(unsold, entry.lot.packed_unsold_units)),
        reserved_units=Units(reserved(entry.id)),
    )
