"""Campaigns: a union gives coupons to some of its people at once, and pays for the milk."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.amounts import format_time
from api.budgets.model import BudgetPurpose
from api.budgets.store import has_room
from api.catalogue.model import ShopProduct
from api.catalogue.store import find_product
from api.coupons.issuing import draw_coupon
from api.coupons.model import PAID_BY_UNION, CouponFunder
from api.coupons.schemas import CampaignView, NewCampaignBody, told_of_coupon
from api.coupons.store import add_coupons
from api.db.statements import text
from api.errors import Conflict, NotFound, Pointer, Unprocessable
from api.events.outbox import NewEvent
from api.people.means import Actor

DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """Who gave how many coupons for what."""

    union_id: str
    id: str
    name: str
    merchant_id: str
    product_id: str
    funded_by: CouponFunder
    issued: int
    created_by: str
    created_ms: int
    expires_ms: int
    used: int = 0


async def begin_campaign(
    connection: AsyncConnection,
    actor: Actor,
    body: NewCampaignBody,
    now_ms: int,
) -> tuple[Campaign, list[NewEvent]]:
    """Give each person a coupon; raise `NotFound` or `Unprocessable`, giving none."""
    user_ids = sorted(set(body.user_ids))
    await _check_there(connection, actor.union_id, body.merchant_id, user_ids)
    product = await _product(connection, body)
    await _check_budget(connection, actor.union_id, product.price_sen * len(user_ids), now_ms)
    campaign = Campaign(
        union_id=actor.union_id,
        id=str(ULID.from_timestamp(now_ms)),
        name=body.name,
        merchant_id=body.merchant_id,
        product_id=product.id,
        funded_by=body.funded_by,
        issued=len(user_ids),
        created_by=actor.user_id,
        created_ms=now_ms,
        expires_ms=now_ms + body.days * DAY_MS,
    )
    coupons = [
        draw_coupon(
            actor.union_id,
            user_id,
            body.merchant_id,
            product,
            now_ms,
            funded_by=body.funded_by,
            campaign_id=campaign.id,
            good_ms=body.days * DAY_MS,
        )
        for user_id in user_ids
    ]
    await _add(connection, campaign)
    await add_coupons(connection, coupons)
    return campaign, [told_of_coupon("issued", coupon, now_ms) for coupon in coupons]


async def _product(connection: AsyncConnection, body: NewCampaignBody) -> ShopProduct:
    product = await find_product(connection, body.merchant_id, body.product_id)
    if product is None or not product.active:
        where = Pointer("/productId", "UNKNOWN_PRODUCT")
        raise Unprocessable("nobody sells that", code="UNKNOWN_PRODUCT", errors=(where,))
    if body.funded_by not in PAID_BY_UNION:
        where = Pointer("/fundedBy", "NOT_POSSIBLE")
        raise Unprocessable("a union's campaign is paid by the union", errors=(where,))
    return product


async def _check_budget(
    connection: AsyncConnection, union_id: str, worth_sen: int, now_ms: int
) -> None:
    if not await has_room(connection, union_id, BudgetPurpose.COUPONS, worth_sen, now_ms):
        raise Conflict("the union gives no more away in 30 days", code="BUDGET_USED")


async def _check_there(
    connection: AsyncConnection, union_id: str, merchant_id: str, user_ids: list[str]
) -> None:
    shop = await connection.scalar(
        text("SELECT 1 FROM merchants WHERE id = :id AND union_id = :union"),
        {"id": merchant_id, "union": union_id},
    )
    people = await connection.scalar(
        text("""
            SELECT count(*) FROM users
            WHERE union_id = :union AND id = ANY(CAST(:ids AS text[]))
        """),
        {"union": union_id, "ids": user_ids},
    )
    if shop is None or people != len(user_ids):
        raise NotFound("a merchant or a person is not of your union")


async def _add(connection: AsyncConnection, campaign: Campaign) -> None:
    await connection.execute(
        text("""
            INSERT INTO coupon_campaigns (union_id, id, name, merchant_id, product_id, funded_by,
                issued, created_by, created_ms, expires_ms)
            VALUES (:union_id, :id, :name, :merchant_id, :product_id, :funded_by, :issued,
                :created_by, :created_ms, :expires_ms)
        """),
        {
            "union_id": campaign.union_id,
            "id": campaign.id,
            "name": campaign.name,
            "merchant_id": campaign.merchant_id,
            "product_id": campaign.product_id,
            "funded_by": str(campaign.funded_by),
            "issued": campaign.issued,
            "created_by": campaign.created_by,
            "created_ms": campaign.created_ms,
            "expires_ms": campaign.expires_ms,
        },
    )


async def list_campaigns(
    connection: AsyncConnection, union_id: str, before_id: str | None, limit: int
) -> list[Campaign]:
    """List a union's campaigns below an id, newest first, with what was used of each."""
    rows = await connection.execute(
        text("""
            SELECT c.union_id, c.id, c.name, c.merchant_id, c.product_id, c.funded_by, c.issued,
                c.created_by, c.created_ms, c.expires_ms,
                (SELECT count(*) FROM coupons p WHERE p.union_id = c.union_id
                    AND p.campaign_id = c.id AND p.state = 'redeemed') AS used
            FROM coupon_campaigns c
            WHERE c.union_id = :union AND c.id < coalesce(CAST(:before AS text), 'Z')
            ORDER BY c.id DESC LIMIT :limit
        """),
        {"union": union_id, "before": before_id, "limit": limit},
    )
    return [
        Campaign(
            union_id=row.union_id,
            id=row.id,
            name=row.name,
            merchant_id=row.merchant_id,
            product_id=row.product_id,
            funded_by=CouponFunder(row.funded_by),
            issued=row.issued,
            created_by=row.created_by,
            created_ms=row.created_ms,
            expires_ms=row.expires_ms,
            used=row.used,
        )
        for row in rows
    ]


def campaign_view(campaign: Campaign, *, livemode: bool) -> CampaignView:
    """Present a campaign."""
    return CampaignView(
        id=campaign.id,
        name=campaign.name,
        merchant_id=campaign.merchant_id,
        product_id=campaign.product_id,
        funded_by=campaign.funded_by,
        issued=campaign.issued,
        used=campaign.used,
        created_at=format_time(campaign.created_ms),
        expires_at=format_time(campaign.expires_ms),
        livemode=livemode,
    )
