"""What may become of a coupon: one table. Pure.

One conditional update in the database decides each step, from the state that stands here: of two
tills that scan one coupon, one gets it.
"""

from collections.abc import Mapping
from typing import Final

from api.coupons.model import Coupon, CouponEvent, CouponState

_E: Final = CouponEvent
_S: Final = CouponState

TABLE: Final[Mapping[tuple[CouponState, CouponEvent], CouponState]] = {
    (_S.ISSUED, _E.RESERVE): _S.RESERVED,
    (_S.RESERVED, _E.RELEASE): _S.ISSUED,
    (_S.RESERVED, _E.REDEEM): _S.REDEEMED,
    (_S.ISSUED, _E.EXPIRE): _S.EXPIRED,
    (_S.ISSUED, _E.REVOKE): _S.REVOKED,
    (_S.REDEEMED, _E.RESTORE): _S.ISSUED,
}


def before(event: CouponEvent) -> CouponState:
    """Give the one state in which an event happens."""
    (state,) = (state for state, one in TABLE if one is event)
    return state


def after(event: CouponEvent) -> CouponState:
    """Give the state that an event leads to."""
    return TABLE[before(event), event]


def why_not(coupon: Coupon, merchant_id: str, price_sen: int, now_ms: int) -> str:
    """Say by a code why a coupon buys no pack of this price here; empty if it does."""
    if coupon.merchant_id != merchant_id:
        return "COUPON_OF_ANOTHER_SHOP"
    if coupon.state is CouponState.RESERVED:
        return "COUPON_IN_USE"
    if coupon.state is not CouponState.ISSUED:
        return "COUPON_OVER"
    if now_ms >= coupon.expires_ms:
        return "COUPON_OVER"
    return "COUPON_TOO_SMALL" if price_sen > coupon.price_sen else ""
