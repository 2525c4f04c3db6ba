"""Points in words: entries that are only ever added, and whose they are."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

POINTS_A_COUPON: Final = 5
WAITS_MS: Final = 90 * 86_400_000
"""How long a point waits for the wallet that earned it to be linked to somebody."""

MISSED_MS: Final = 600_000
"""How long after a link it is looked for points that missed it: longer than any transaction."""


class EntryKind(StrEnum):
    """Why points come and go."""

    EARN = "earn"
    """An order turned paid."""
    REVERSE = "reverse"
    """It was refunded whole."""
    REDEEM = "redeem"
    """Five became a coupon."""
    RESTORE = "restore"
    """A coupon that nobody used was taken back: its five are points again."""
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True)
class EarnedPoint:
    """A paid order's point: whose wallet paid is told by its blind index alone."""

    union_id: str
    merchant_id: str
    order_id: str
    address_index: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LoyaltyEntry:
    """Points that a person got or lost, once and for all."""

    union_id: str
    id: str
    user_id: str
    kind: EntryKind
    points: int
    at_ms: int
    order_id: str | None = None
    coupon_id: str | None = None
    note: str = ""
