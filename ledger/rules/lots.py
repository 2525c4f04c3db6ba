"""Lots on sale: packs are filled from them, and a sale burns their litres (spec §5, §12).

A redemption names a lot, of which only loose milk is sold, or a product lot, whose packs are. It
must be in date and neither frozen nor recalled. Invariant: what a lot has packed and unsold is at
most what it has left, and the packs sold are at most those filled.

A payment redeems a basket of them, one after another: what is not there for the last leaves the
first unsold too, since the transaction is rolled back.
"""

import itertools
from typing import Final

from msgspec.structs import replace

from ledger.errors.milk import ForeignLot, UnsoundLot
from ledger.errors.money import ExpiredLot, ShortLot, UnknownLot, UnorderedBasket, ZeroUnits
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Domain, Hash
from ledger.rules.books import book_gone
from ledger.rules.context import BlockContext, Call
from ledger.rules.law import Law
from ledger.state.dairy import ProductLot
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Lot, LotStatus, Reason, Role
from ledger.state.tables import LOTS, PRODUCTS
from ledger.types.milk import FreezeLot, PackLot, RecallLot
from ledger.types.transfer import Basket, Redemption


def find_lot(reader: Reader, lot_id: Hash) -> Lot:
    """Give a lot; raise `UnknownLot` if there is none."""
    lot = LOTS.get(reader, lot_id)
    if lot is None:
        raise UnknownLot(lot=lot_id.hex())
    return lot


def check_basket(reader: Reader, basket: Basket) -> int:
    """Raise unless a basket is in order and each part of it is there alone; give its units.

    Parts may share what one lot has in packs: that there is enough for all shows as they are taken.
    """
    for part in basket:
        if part.units == 0:
            raise ZeroUnits
    for before, part in itertools.pairwise(basket):
        if part.lot <= before.lot:
            raise UnorderedBasket(lot=part.lot.hex())
    for part in basket:
        _check_redemption(reader, part)
    return sum(part.units for part in basket)


def redeem_basket(overlay: Overlay, context: BlockContext, basket: Basket) -> int:
    """Take sold milk out of its lots and the books; give its units, which leave an account too."""
    for part in basket:
        _redeem(overlay, context, part)
    return sum(part.units for part in basket)


def _check_redemption(reader: Reader, redeem: Redemption) -> tuple[Hash, Lot, ProductLot | None]:
    """Raise unless there is as much to sell; give the lot, and the product lot if one is named."""
    product = PRODUCTS.get(reader, redeem.lot)
    lot_id = Hash(product.lot) if product else Hash(redeem.lot)
    lot = find_lot(reader, lot_id)
    if product is None:
        left = lot.remaining_units - lot.packed_unsold_units
    else:
        left = min(product.units - product.sold_units, lot.packed_unsold_units)
    if left < redeem.units:
        raise ShortLot(lot=redeem.lot.hex(), remaining=left, units=redeem.units)
    return lot_id, lot, product


def _check_sellable(context: BlockContext, lot_id: Hash, lot: Lot) -> None:
    if context.time_ms >= lot.expires_ms:
        raise ExpiredLot(lot=lot_id.hex(), expires_ms=lot.expires_ms, time_ms=context.time_ms)
    if lot.status is not LotStatus.SOUND:
        raise UnsoundLot(lot=lot_id.hex(), status=lot.status)


def _redeem(overlay: Overlay, context: BlockContext, redeem: Redemption) -> None:
    lot_id, lot, product = _check_redemption(overlay, redeem)
    _check_sellable(context, lot_id, lot)
    units = redeem.units
    unsold = lot.packed_unsold_units
    if product is not None:
        unsold = Units(unsold - units)
        sold = replace(product, sold_units=Units(product.sold_units + units))
        PRODUCTS.put(overlay, sold, redeem.lot)
    LOTS.put(
        overlay,
        replace(
            lot, remaining_units=Units(lot.remaining_units - units), packed_unsold_units=unsold
        ),
        lot_id,
    )
    book_gone(overlay, units, units, Reason.SOLD)


def remove_milk(overlay: Overlay, lot_id: Hash, lot: Lot, units: int) -> None:
    """Take lost milk out of a lot; what is left bounds what packs can still be sold."""
    remaining = Units(lot.remaining_units - units)
    left = replace(
        lot, remaining_units=remaining, packed_unsold_units=min(lot.packed_unsold_units, remaining)
    )
    LOTS.put(overlay, left, lot_id)


def check_pack(reader: Reader, call: Call, body: PackLot) -> Lot:
    """Raise unless the sender's own lot has as much loose milk; give the lot."""
    lot = find_lot(reader, body.lot)
    if lot.mmu != call.sender:
        raise ForeignLot(lot=body.lot.hex())
    units, loose = body.packs * body.pack_units, lot.remaining_units - lot.packed_unsold_units
    if units > loose:
        raise ShortLot(lot=body.lot.hex(), remaining=loose, units=units)
    return lot


def apply_pack(overlay: Overlay, context: BlockContext, call: Call, body: PackLot) -> None:
    """Make a product lot, named by the transaction that packs it."""
    lot = check_pack(overlay, call, body)
    _check_sellable(context, body.lot, lot)
    units = body.packs * body.pack_units
    product = ProductLot(body.lot, body.packs, Units(body.pack_units), Units(0), context.height)
    PRODUCTS.put(overlay, product, call.name(Domain.PRODUCT))
    packed = replace(
        lot,
        packed_units=Units(lot.packed_units + units),
        packed_unsold_units=Units(lot.packed_unsold_units + units),
    )
    LOTS.put(overlay, packed, body.lot)


def apply_freeze(overlay: Overlay, context: BlockContext, call: Call, body: FreezeLot) -> None:
    """Stop a lot's sales, or let them go on."""
    lot = find_lot(overlay, body.lot)
    if lot.status is LotStatus.RECALLED:
        raise UnsoundLot(lot=body.lot.hex(), status=lot.status)
    status = LotStatus.FROZEN if body.frozen else LotStatus.SOUND
    LOTS.put(overlay, replace(lot, status=status), body.lot)


def apply_recall(overlay: Overlay, context: BlockContext, call: Call, body: RecallLot) -> None:
    """Stop a lot's sales for ever; its milk is then written off as recalled."""
    lot = find_lot(overlay, body.lot)
    if lot.status is LotStatus.RECALLED:
        raise UnsoundLot(lot=body.lot.hex(), status=lot.status)
    LOTS.put(overlay, replace(lot, status=LotStatus.RECALLED), body.lot)


LOT_LAWS: Final = (
    Law(PackLot, apply_pack, check_pack, by=(Role.MMU,)),
    Law(FreezeLot, apply_freeze, by=(Role.REGULATOR,)),
    Law(RecallLot, apply_recall, by=(Role.REGULATOR,)),
)
