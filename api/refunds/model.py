"""A refund in words: why, how much, and how far it has come."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class RefundState(StrEnum):
    """How far a refund has come."""

    PENDING = "pending"
    """The signer is asked."""
    SUBMITTED = "submitted"
    """It is signed, and on its way into a block."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RefundEvent(StrEnum):
    """What may happen to a refund."""

    SIGNED = "signed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The signer refused it, the chain did, or nobody signed it in time."""
    LAPSED = "lapsed"
    """What was signed came into no block: the signer is asked anew."""
    CANCELLED = "cancelled"


class RefundReason(StrEnum):
    """Why money goes back."""

    NOT_HANDED_OVER = "not_handed_over"
    DUPLICATE = "duplicate"
    OVERPAID = "overpaid"
    PAID_AFTER_CANCEL = "paid_after_cancel"
    PAID_LATE = "paid_late"
    SPOILED = "spoiled"
    UNMATCHED = "unmatched"
    OTHER = "other"


EXCESS: Final = frozenset(
    {RefundReason.DUPLICATE, RefundReason.OVERPAID, RefundReason.PAID_AFTER_CANCEL}
)
"""What came in beyond the quote: it goes back in the units that it came in."""
RESTOCKS: Final = frozenset({RefundReason.NOT_HANDED_OVER, RefundReason.DUPLICATE})
"""The milk was burned and is still on the shelf: its packs are counted as returned."""
OPEN: Final = frozenset({RefundState.PENDING, RefundState.SUBMITTED})
COUNTS: Final = OPEN | {RefundState.SUCCEEDED}
"""What counts as given back, so that nothing is promised twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Units that go back for one payment; `amount_sen` is what they were worth in the quote.

    It is None where there was no quote. `refund_tx` is the transaction that gives them back.
    """

    id: str
    merchant_id: str
    order_id: str | None
    tx_hash: bytes
    units: int
    amount_sen: int | None
    reason: RefundReason
    state: RefundState
    automatic: bool
    requested_by: str
    created_ms: int
    refund_tx: bytes | None = None
    code: str = ""
    detail: str = ""
    ended_ms: int | None = None

    def changed(self, **changes: object) -> "Refund":
        """Give the refund with members changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class BurnedPacks:
    """Packs of one size whose milk a payment burned, and the lot that it was of."""

    lot: bytes
    pack_units: int
    packs: int
