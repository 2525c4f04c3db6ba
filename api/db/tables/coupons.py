"""Coupons, and the campaigns that gave them out."""

from typing import Final

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, Table, text

from api.coupons.model import CouponFunder, CouponState
from api.db.tables.columns import metadata, one_of, ulid, whole, words

coupons: Final = Table(
    "coupons",
    metadata,
    ulid("union_id"),
    ulid("id"),
    ulid("user_id"),
    ulid("merchant_id"),
    words("code", 16),
    words("product_id", 32),
    whole("price_sen"),
    words("funded_by", 16),
    ulid("campaign_id", nullable=True),
    words("state", 16),
    ulid("order_id", nullable=True),
    whole("was_sen", nullable=True),
    whole("was_units", nullable=True),
    whole("issued_ms"),
    whole("expires_ms"),
    whole("ended_ms", nullable=True),
    PrimaryKeyConstraint("union_id", "id"),
    one_of("state", CouponState),
    one_of("funded_by", CouponFunder),
    CheckConstraint(
        "(order_id IS NOT NULL) = (state IN ('reserved', 'redeemed'))", name="held_by_an_order"
    ),
    Index("coupons_of_user", "union_id", "user_id", "id"),
    Index("coupons_of_merchant", "union_id", "merchant_id", "id"),
    Index(
        "coupons_of_order", "order_id", unique=True, postgresql_where=text("order_id IS NOT NULL")
    ),
    Index(
        "coupons_of_campaign",
        "union_id",
        "campaign_id",
        postgresql_where=text("campaign_id IS NOT NULL"),
    ),
    Index("coupons_open", "expires_ms", postgresql_where=text("state = 'issued'")),
)
"""One free pack. That its code is there once over all unions stands in `claims`."""

coupon_campaigns: Final = Table(
    "coupon_campaigns",
    metadata,
    ulid("union_id"),
    ulid("id"),
    words("name", 80),
    ulid("merchant_id"),
    words("product_id", 32),
    words("funded_by", 16),
    whole("issued"),
    ulid("created_by"),
    whole("created_ms"),
    whole("expires_ms"),
    PrimaryKeyConstraint("union_id", "id"),
    one_of("funded_by", CouponFunder),
)
"""Coupons that a union gave to some of its people at once."""
