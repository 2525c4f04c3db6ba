"""A cash-out in words: what was agreed, what has come in, and what was paid out for it."""

from dataclasses import dataclass, replace
from enum import StrEnum


class CashOutState(StrEnum):
    """How far a cash-out has come."""

    AWAITING = "awaiting"
    """Nothing has come in for it."""
    RECEIVED = "received"
    """BILL is with the float, and its cash is owed."""
    PAID = "paid"
    """All that is owed was paid."""
    EXPIRED = "expired"
    """Nothing came in time. What comes all the same is owed at the price of its day."""


class CashOutEvent(StrEnum):
    """What may happen to a cash-out."""

    RECEIVE = "receive"
    PAY = "pay"
    LAPSE = "lapse"


@dataclass(frozen=True, slots=True, kw_only=True)
class CashOut:
    """BILL for cash, at a price that holds until `expires_ms`.

    `reference` is what the transfer to the float bears.
    """

    union_id: str
    id: str
    user_id: str
    asked_units: int
    reference: bytes
    price_id: str
    litre_sen: int
    state: CashOutState
    created_ms: int
    expires_ms: int
    received_units: int = 0
    received_sen: int = 0
    """What all that came in is worth, each transfer at the price that held for it."""
    paid_sen: int = 0
    payments: int = 0
    ended_ms: int | None = None

    @property
    def owed_sen(self) -> int:
        """Give what is still to be paid."""
        return self.received_sen - self.paid_sen

    def changed(self, **changes: object) -> "CashOut":
        """Give the cash-out with members changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
