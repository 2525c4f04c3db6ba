"""Transfer: pay, and with `redeem` burn the milk that leaves with the sale in the same step.

The sender pays `units` in all. Of them `redeem.units` are burned against one lot, which must be
in date and hold as much; the rest reaches `to`. A payment without redemption is the same with
nothing burned.
"""

from ledger.errors import (
    ExpiredLot,
    RedeemsTooMuch,
    ShortLot,
    TooLittleMoney,
    UnknownLot,
    ZeroUnits,
)
from ledger.primitives.amounts import Units
from ledger.rules.context import BlockContext, Call
from ledger.state.overlay import Overlay, Reader
from ledger.state.records import Lot, Supply
from ledger.state.tables import LOTS, SUPPLY, account, check_open, credit, debit, supply
from ledger.types.transaction import Redemption, Transfer


def _find_lot(reader: Reader, redeem: Redemption) -> Lot:
    lot = LOTS.get(reader, redeem.lot)
    if lot is None:
        raise UnknownLot(lot=redeem.lot.hex())
    if lot.remaining < redeem.units:
        raise ShortLot(lot=redeem.lot.hex(), remaining=lot.remaining, units=redeem.units)
    return lot


def check_transfer(reader: Reader, call: Call, body: Transfer) -> None:
    """Raise what can be said without a block: amounts, money, and the lot."""
    if body.units == 0 or (body.redeem is not None and body.redeem.units == 0):
        raise ZeroUnits
    check_open(body.to)
    if body.redeem is not None:
        if body.redeem.units > body.units:
            raise RedeemsTooMuch(redeemed=body.redeem.units, units=body.units)
        _find_lot(reader, body.redeem)
    held = account(reader, call.sender)
    if held.units < body.units + call.fee:
        raise TooLittleMoney(needed=body.units + call.fee, units=held.units)


def apply_transfer(overlay: Overlay, context: BlockContext, call: Call, body: Transfer) -> None:
    """Move the money and burn the redeemed milk; raise `Refused` faults."""
    check_transfer(overlay, call, body)
    debit(overlay, call.sender, body.units)
    burned = 0
    if body.redeem is not None:
        burned = body.redeem.units
        _redeem(overlay, context, body.redeem)
    credit(overlay, body.to, body.units - burned)


def _redeem(overlay: Overlay, context: BlockContext, redeem: Redemption) -> None:
    lot, units = _find_lot(overlay, redeem), redeem.units
    if context.time_ms >= lot.expires_ms:
        raise ExpiredLot(lot=redeem.lot.hex(), expires_ms=lot.expires_ms, time_ms=context.time_ms)
    LOTS.put(overlay, _with_remaining(lot, lot.remaining - units), redeem.lot)
    books = supply(overlay)
    after = Supply(books.minted, Units(books.redeemed + units), Units(books.remaining - units))
    SUPPLY.put(overlay, after)


def _with_remaining(lot: Lot, remaining: int) -> Lot:
    return Lot(
        lot.kind,
        lot.plant,
        lot.line,
        lot.run,
        lot.mmu,
        lot.units,
        Units(remaining),
        lot.expires_ms,
        lot.height,
        lot.readings_root,
    )
