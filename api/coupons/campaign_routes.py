"""Campaigns: begun by a union's office, and seen by those who keep its books."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.coupons.campaigns import Campaign, begin_campaign, campaign_view, list_campaigns
from api.coupons.schemas import CampaignsQuery, CampaignView, NewCampaignBody
from api.events.outbox import write_events
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, person_of

LIST: Final = "listCouponCampaigns"


async def create_campaign(call: ApiCall) -> Reply:
    """Give coupons to some of a union's people."""
    service, actor, body = call.service, actor_of(call), call.body

    async def work(connection: AsyncConnection) -> Reply:
        campaign, events = await begin_campaign(connection, actor, body, service.now_ms())
        await write_events(connection, events)
        return Reply(campaign_view(campaign, livemode=service.config.livemode), 201)

    return await service.answers.once(call.once, work)


async def read_campaigns(call: ApiCall) -> Listing[CampaignView]:
    """List the campaigns of one's union, newest first."""
    union_id, query, service = person_of(call).union_id, call.query, call.service
    below = service.cursors.read(query.cursor, LIST, union_id)
    async with service.engine.connect() as connection:
        rows = await list_campaigns(
            connection, union_id, None if below is None else str(below[0]), query.limit + 1
        )
    return service.cursors.page(
        rows,
        query.limit,
        _place,
        lambda one: campaign_view(one, livemode=service.config.livemode),
        LIST,
        union_id,
    )


def _place(campaign: Campaign) -> tuple[str]:
    return (campaign.id,)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/coupon-campaigns",
        operation="createCouponCampaign",
        summary="Give coupons to some of a union's people, paid for by the union or the state",
        tag="coupons",
        handler=create_campaign,
        body=NewCampaignBody,
        answer=CampaignView,
        status=201,
        idempotency=Idempotency.KEY,
        body_bytes_max=32_768,
        codes=("NOT_FOUND", "UNKNOWN_PRODUCT", "BUDGET_USED"),
    ),
    Route(
        method="GET",
        path="/api/v1/coupon-campaigns",
        operation=LIST,
        summary="List a union's campaigns, and how many of their coupons were used; newest first",
        tag="coupons",
        handler=read_campaigns,
        query=CampaignsQuery,
        answer=Listing[CampaignView],
    ),
)
