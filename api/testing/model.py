"""The ways in which a made-up customer pays. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from api.orders.model import Order, Part
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.types.transfer import Redemption, Transfer


class PayAs(StrEnum):
    """What the customer does."""

    EXACT = "exact"
    LATE = "late"
    """Pays after the order's time."""
    UNDER = "under"
    """Pays half of it, and redeems no milk."""
    OVER = "over"
    """Pays a tenth too much."""
    TWICE = "twice"
    NEVER = "never"
    """Lets the order's time run out."""
    REFUNDED = "refunded"
    """Pays, and is given it back."""


ENDS_THE_TIME: Final = frozenset({PayAs.LATE, PayAs.NEVER})
BY_THE_FRONT_DOOR: Final = frozenset({PayAs.EXACT, PayAs.TWICE, PayAs.REFUNDED})
"""Where the first payment is handed in as a wallet does; else it goes straight to a node."""


def payments_of(order: Order, pay_as: PayAs) -> tuple[Transfer, ...]:
    """Give the transfers that the customer signs, in order."""
    whole = _transfer(order, order.amount_units, order.basket)
    match pay_as:
        case PayAs.EXACT | PayAs.LATE | PayAs.REFUNDED:
            return (whole,)
        case PayAs.TWICE:
            return (whole, whole)
        case PayAs.OVER:
            more = order.amount_units + max(1, order.amount_units // 10)
            return (_transfer(order, more, order.basket),)
        case PayAs.UNDER:
            return (_transfer(order, max(1, order.amount_units // 2), ()),)
        case PayAs.NEVER:
            return ()


def _transfer(order: Order, units: int, basket: Sequence[Part]) -> Transfer:
    redeem = tuple(Redemption(Hash(bytes.fromhex(part.lot)), Units(part.units)) for part in basket)
    return Transfer(order.payout, Units(units), order.reference, redeem)
