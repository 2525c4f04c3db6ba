"""Transfer: pay, and with `redeem` burn the milk that leaves with the sale in the same step.

The sender pays `units` in all. Of them the basket's units together are burned, each part against
its lot or product lot (`lots`); the rest reaches `to`. A payment with an empty basket is the same
with nothing burned.
"""

from typing import Final

from ledger.errors.money import RedeemsTooMuch, ZeroUnits
from ledger.rules.context import BlockContext, Call
from ledger.rules.fees import check_money
from ledger.rules.law import Law
from ledger.rules.lots import check_basket, redeem_basket
from ledger.state.overlay import Overlay, Reader
from ledger.state.tables import check_open, credit, debit
from ledger.types.transfer import Transfer


def check_transfer(reader: Reader, call: Call, body: Transfer) -> None:
    """Raise what can be said without a block: amounts, money, and the basket."""
    if body.units == 0:
        raise ZeroUnits
    check_open(body.to)
    burned = check_basket(reader, body.redeem)
    if burned > body.units:
        raise RedeemsTooMuch(redeemed=burned, units=body.units)
    check_money(reader, call, body.units)


def apply_transfer(overlay: Overlay, context: BlockContext, call: Call, body: Transfer) -> None:
    """Move the money and burn the redeemed milk; raise `Refused` faults."""
    check_transfer(overlay, call, body)
    debit(overlay, call.sender, body.units)
    burned = redeem_basket(overlay, context, body.redeem)
    credit(overlay, body.to, body.units - burned)


TRANSFER_LAWS: Final = (
    Law(Transfer, apply_transfer, check_transfer, names=lambda body: (body.to,)),
)
