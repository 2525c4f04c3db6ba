"""A coupon in words: what it is good for, who pays, and how far it has come."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

GOOD_MS: Final = 90 * 86_400_000
"""How long a coupon is good."""
RESERVED_MS: Final = 90_000
"""How long a till holds a coupon; longer while its transaction is on its way."""


class CouponState(StrEnum):
    """How far a coupon has come."""

    ISSUED = "issued"
    RESERVED = "reserved"
    """An order holds it."""
    REDEEMED = "redeemed"
    EXPIRED = "expired"
    REVOKED = "revoked"


class CouponEvent(StrEnum):
    """What may happen to a coupon."""

    RESERVE = "reserve"
    RELEASE = "release"
    """Its order came to nothing."""
    REDEEM = "redeem"
    EXPIRE = "expire"
    REVOKE = "revoke"
    RESTORE = "restore"
    """Its milk was not handed over."""


class CouponFunder(StrEnum):
    """Who pays for the milk."""

    MERCHANT = "merchant"
    UNION = "union"
    STATE = "state"
    """The union pays, and claims it back."""


PAID_BY_UNION: Final = frozenset({CouponFunder.UNION, CouponFunder.STATE})
"""Whose milk the union's float buys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """One pack of a product, or of a cheaper one, for nothing, at one merchant."""

    union_id: str
    id: str
    user_id: str
    merchant_id: str
    code: str
    product_id: str
    price_sen: int
    """What the product cost when the coupon was issued: a pack up to that is free."""
    funded_by: CouponFunder
    campaign_id: str | None
    state: CouponState
    order_id: str | None
    was_sen: int | None = None
    """What its order costs in money, if its milk is not bought; None if it was opened for this."""
    was_units: int | None = None
    issued_ms: int
    expires_ms: int
    ended_ms: int | None = None

    def changed(self, **changes: object) -> "Coupon":
        """Give the coupon with members changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


def payer_of(coupon: Coupon) -> str:
    """Name who pays for a coupon's milk: its union or its shop."""
    return coupon.union_id if coupon.funded_by in PAID_BY_UNION else coupon.merchant_id
