"""Drawing coupons: what one is good for is written when it is issued, its code is drawn."""

import secrets
from typing import Final

from ulid import ULID

from api.catalogue.model import ShopProduct
from api.coupons.model import GOOD_MS, Coupon, CouponFunder, CouponState

CODE_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: none is taken for another, and a QR holds capitals and digits at least size."""
CODE_CHARS: Final = 16
"""Eighty bits: nobody guesses one."""


def draw_coupon(
    union_id: str,
    user_id: str,
    merchant_id: str,
    product: ShopProduct,
    now_ms: int,
    *,
    funded_by: CouponFunder = CouponFunder.MERCHANT,
    campaign_id: str | None = None,
    good_ms: int = GOOD_MS,
) -> Coupon:
    """Draw a coupon for a pack of a product."""
    return Coupon(
        union_id=union_id,
        id=str(ULID.from_timestamp(now_ms)),
        user_id=user_id,
        merchant_id=merchant_id,
        code="".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_CHARS)),
        product_id=product.id,
        price_sen=product.price_sen,
        funded_by=funded_by,
        campaign_id=campaign_id,
        state=CouponState.ISSUED,
        order_id=None,
        issued_ms=now_ms,
        expires_ms=now_ms + good_ms,
    )
