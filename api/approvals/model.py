"""What waits for a second person: plain values.

pending   approve   approved    it waits for its hour, if it has one
approved  its hour  applied, or failed: what it was about has changed meanwhile
pending   reject    rejected
approved  reject    rejected    as long as it waits
pending   7 days    expired
"""

from dataclasses import dataclass
from enum import StrEnum


class ApprovalState(StrEnum):
    """Where a wish stands."""

    PENDING = "pending"
    APPROVED = "approved"
    APPLIED = "applied"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ApprovalKind(StrEnum):
    """What may be wished for; `api.approvals.rules.RULES` says by whose leave."""

    ROLE_GRANT = "role_grant"
    WALLET_REBIND = "wallet_rebind"
    PAYOUT_CHANGE = "payout_change"
    REFUND = "refund"
    LOYALTY_ADJUSTMENT = "loyalty_adjustment"
    TOP_UP = "top_up"
    CASH_OUT = "cash_out"
    PRODUCT_PRICE = "product_price"
    BUDGET = "budget"


class Decision(StrEnum):
    """What the second person says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A wish, who has it, and what has become of it."""

    union_id: str
    id: str
    kind: ApprovalKind
    subject_id: str
    """The user or merchant that it is about."""
    merchant_id: str
    """The merchant at which it will matter, or nothing."""
    wish: dict[str, str]
    state: ApprovalState
    requested_by: str
    requested_ms: int
    not_before_ms: int
    expires_ms: int
    decided_by: str = ""
    decided_ms: int | None = None
    code: str = ""
    """Why it failed."""
