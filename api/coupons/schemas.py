"""Coupons in JSON: the whole for whoever holds one, a card without its code for everybody else."""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from api.amounts import format_sen, format_time
from api.config import ApiConfig
from api.coupons.model import Coupon, CouponFunder, CouponState
from api.events.outbox import NewEvent
from api.http.pages import PageQuery
from api.http.scalars import LINE, Livemode, MyrText, TimeText, UlidText

CAMPAIGN_USERS_MAX = 500


class CouponCard(msgspec.Struct, frozen=True, rename="camel"):
    """A coupon as shops and events tell of it."""

    id: UlidText
    merchant_id: UlidText
    product_id: str
    worth: Annotated[MyrText, Meta(description="A pack of up to this price is free.")]
    funded_by: CouponFunder
    campaign_id: UlidText | None
    state: CouponState
    order_id: UlidText | None
    issued_at: TimeText
    expires_at: TimeText
    ended_at: TimeText | None


class CouponView(CouponCard, frozen=True, rename="camel"):
    """A coupon. Whoever has the code can use it: its holder alone is told."""

    code: str | None
    qr_url: str | None
    livemode: Livemode


class CouponsOf(StrEnum):
    """Whose coupons are meant."""

    MINE = "mine"
    SHOP = "shop"


class CouponsQuery(
    PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which coupons are listed."""

    state: CouponState | None = None
    of: CouponsOf = CouponsOf.MINE


class RedeemBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which pack is handed out; the coupon's own product if it is left out."""

    product_id: Annotated[str, Meta(max_length=32)] | None = None


class UseCouponBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which coupon pays a scanned order."""

    coupon_id: Annotated[str, Meta(max_length=26)]


class NewCampaignBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Who gets a coupon, for what, at which shop, and who pays for it."""

    name: Annotated[str, Meta(min_length=1, max_length=80, pattern=LINE)]
    merchant_id: Annotated[str, Meta(max_length=26)]
    product_id: Annotated[str, Meta(max_length=32)]
    funded_by: Annotated[CouponFunder, Meta(description="union, or state.")]
    user_ids: Annotated[
        tuple[Annotated[str, Meta(max_length=26)], ...],
        Meta(min_length=1, max_length=CAMPAIGN_USERS_MAX),
    ]
    days: Annotated[int, Meta(ge=1, le=365, description="How long they are good.")] = 90


class CampaignsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which campaigns are listed: all, a page at a time."""


class CampaignView(msgspec.Struct, frozen=True, rename="camel"):
    """A campaign, how many coupons it gave out, and how many of them were used."""

    id: UlidText
    name: str
    merchant_id: UlidText
    product_id: str
    funded_by: CouponFunder
    issued: int
    used: Annotated[int, Meta(description="How many of them paid for a pack.")]
    created_at: TimeText
    expires_at: TimeText
    livemode: Livemode


def _shown(coupon: Coupon) -> dict[str, object]:
    return {
        "id": coupon.id,
        "merchant_id": coupon.merchant_id,
        "product_id": coupon.product_id,
        "worth": format_sen(coupon.price_sen),
        "funded_by": coupon.funded_by,
        "campaign_id": coupon.campaign_id,
        "state": coupon.state,
        "order_id": coupon.order_id,
        "issued_at": format_time(coupon.issued_ms),
        "expires_at": format_time(coupon.expires_ms),
        "ended_at": None if coupon.ended_ms is None else format_time(coupon.ended_ms),
    }


def coupon_card(coupon: Coupon) -> CouponCard:
    """Present a coupon without its code."""
    return CouponCard(**_shown(coupon))  # type: ignore[arg-type]  # the members' types are above


def coupon_view(coupon: Coupon, config: ApiConfig, *, to_holder: bool) -> CouponView:
    """Present a coupon, with its code to its holder."""
    qr_url = f"{config.public_url}/api/v1/coupons/{coupon.id}/qr.svg"
    return CouponView(
        **_shown(coupon),  # type: ignore[arg-type]  # as above
        code=coupon.code if to_holder else None,
        qr_url=qr_url if to_holder else None,
        livemode=config.livemode,
    )


def told_of_coupon(kind: str, coupon: Coupon, now_ms: int) -> NewEvent:
    """Make the event that tells of a coupon."""
    return NewEvent(f"coupon.{kind}", coupon.merchant_id, coupon.id, coupon_card(coupon), now_ms)
