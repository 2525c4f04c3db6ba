"""Points: a student reads theirs; a manager adjusts somebody's with a second person."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.schemas import ApprovalView
from api.approvals.views import approval_view
from api.errors import NotFound
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.loyalty.adjusting import ask_for_adjustment
from api.loyalty.model import POINTS_A_COUPON, LoyaltyEntry
from api.loyalty.schemas import LoyaltyQuery, LoyaltyView, NewAdjustmentBody, entry_view
from api.loyalty.store import balance_of, list_entries
from api.people.callers import actor_of, person_of
from api.people.user_store import find_user

LIST: Final = "readLoyalty"


async def read_loyalty(call: ApiCall) -> LoyaltyView:
    """Give a student's points and a page of their entries, newest first."""
    person, query, cursors = person_of(call), call.query, call.service.cursors
    owner = f"{person.union_id}|{person.user_id}"
    below = cursors.read(query.cursor, LIST, owner)
    before = None if below is None else str(below[0])
    async with call.service.engine.connect() as connection:
        balance = await balance_of(connection, person.union_id, person.user_id)
        rows = await list_entries(
            connection, person.union_id, person.user_id, before, query.limit + 1
        )
    page = cursors.page(rows, query.limit, _place, entry_view, LIST, owner)
    return LoyaltyView(balance, POINTS_A_COUPON, page.data, page.has_more, page.next_cursor)


def _place(entry: LoyaltyEntry) -> tuple[str]:
    return (entry.id,)


async def ask_adjustment(call: ApiCall) -> Reply:
    """Ask a second person to let points come or go."""
    body, service, actor = call.body, call.service, actor_of(call)

    async def work(connection: AsyncConnection) -> Reply:
        user = await find_user(connection, service.desks.means.vault, actor.union_id, body.user_id)
        if user is None:
            raise NotFound("there is no such person in your union")
        approval = await ask_for_adjustment(
            connection,
            service.desks,
            actor,
            call.merchant_id,
            body.user_id,
            body.points,
            body.note,
        )
        location = {"Location": f"/api/v1/approvals/{approval.id}"}
        return Reply(approval_view(approval, service.desks.means.now_ms()), 202, location)

    return await service.answers.once(call.once, work)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/loyalty",
        operation=LIST,
        summary="Read one's points, and how they came and went",
        tag="loyalty",
        handler=read_loyalty,
        query=LoyaltyQuery,
        answer=LoyaltyView,
    ),
    Route(
        method="POST",
        path="/api/v1/loyalty/adjustments",
        operation="askLoyaltyAdjustment",
        summary="Ask a second person to let points come or go",
        tag="loyalty",
        handler=ask_adjustment,
        body=NewAdjustmentBody,
        answer=ApprovalView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND",),
    ),
)
