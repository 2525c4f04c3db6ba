"""A payment in words: how far a transaction has come, and what it is to its order."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class PaymentState(StrEnum):
    """How far a transaction has come."""

    SEEN = "seen"
    """We have its bytes, and hand them in until its outcome is known."""
    FINALISED = "finalised"
    REFUSED = "refused"
    """The nodes did not take it, or it came into no block as long as it was valid."""


class Outcome(StrEnum):
    """What a final transaction is by itself."""

    SUCCEEDED = "succeeded"
    PAID_LATE = "paid_late"
    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    WRONG_REDEMPTION = "wrong_redemption"
    DUPLICATE = "duplicate"
    PAID_AFTER_CANCEL = "paid_after_cancel"
    UNMATCHED = "unmatched"
    """It came to a merchant's account, for no order that we know."""
    IN_VAIN = "in_vain"
    """A coupon bought the milk of an order that something else had paid: the coupon is its
    holder's again, and this is none of the order's money."""
    FAILED = "failed"


GOOD: Final = frozenset({Outcome.SUCCEEDED, Outcome.PAID_LATE})
"""What a payment is that paid its order alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """A payment with its order's quote, if it is an order's."""

    tx_hash: bytes
    merchant_id: str
    order_id: str | None
    state: PaymentState
    outcome: Outcome | None
    code: str
    units: int
    delta_units: int
    refunded_units: int
    settlement: str
    height: int | None
    block_hash: bytes | None
    created_ms: int
    confirmed_ms: int | None
    amount_sen: int | None
    amount_units: int | None
