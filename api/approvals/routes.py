"""Approvals: list what waits, let it happen, or not. Never one's own."""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import Person
from api.access.roles import Role
from api.approvals.model import Decision
from api.approvals.schemas import ApprovalsQuery, ApprovalView, DecisionQuery
from api.approvals.store import list_approvals
from api.approvals.views import approval_view
from api.db.session import in_transaction
from api.http.pages import Listing
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, desks_of, id_of, person_of


def _merchant_seen(person: Person) -> str:
    """Give the one merchant whose approvals a person sees; empty for all of the union."""
    if {Role.UNION_OFFICER, Role.ADMIN} & person.roles.keys():
        return ""
    place = person.roles.get(Role.FINANCE) or person.roles.get(Role.MANAGER, "")
    return "" if place == person.union_id else place


async def list_waiting(call: ApiCall) -> Listing[ApprovalView]:
    """List approvals, the newest first: of the union, or of one's own merchant."""
    query: ApprovalsQuery = call.query
    desks, actor = desks_of(call), actor_of(call, "" if query.union_id is UNSET else query.union_id)
    merchant_id, cursors = _merchant_seen(person_of(call)), call.service.cursors
    owner = f"{actor.union_id}|{merchant_id}"
    before = cursors.read(query.cursor, "listApprovals", owner)

    async def read(connection: AsyncConnection) -> Listing[ApprovalView]:
        rows = await list_approvals(
            connection,
            actor.union_id,
            "" if before is None else str(before[0]),
            query.limit + 1,
            None if query.state is UNSET else query.state,
            merchant_id,
        )
        now_ms = desks.means.now_ms()
        return cursors.page(
            rows,
            query.limit,
            lambda approval: (approval.id,),
            lambda approval: approval_view(approval, now_ms),
            "listApprovals",
            owner,
        )

    return await in_transaction(desks.means.engine, read)


def _deciding(verdict: Decision) -> Callable[[ApiCall], Awaitable[ApprovalView]]:
    async def decide(call: ApiCall) -> ApprovalView:
        query: DecisionQuery = call.query
        desks, person = desks_of(call), person_of(call)
        actor = actor_of(call, "" if query.union_id is UNSET else query.union_id)
        approval_id = id_of(call, "approvalId")

        async def work(connection: AsyncConnection) -> ApprovalView:
            approval = await desks.approvals.decide(
                connection, actor, person.roles, approval_id, verdict
            )
            return approval_view(approval, desks.means.now_ms())

        return await in_transaction(desks.means.engine, work)

    return decide


def _decision(verdict: Decision, summary: str) -> Route:
    return Route(
        method="POST",
        path=f"/api/v1/approvals/{{approvalId}}/{verdict}",
        operation=f"{verdict}Approval",
        summary=summary,
        tag="people",
        handler=_deciding(verdict),
        query=DecisionQuery,
        answer=ApprovalView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "CONFLICT", "NOT_YOURS_TO_DECIDE"),
    )


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/approvals",
        operation="listApprovals",
        summary="List what waits for a second person, and what became of it",
        tag="people",
        handler=list_waiting,
        query=ApprovalsQuery,
        answer=Listing[ApprovalView],
        codes=("NOT_FOUND",),
    ),
    _decision(Decision.APPROVE, "Let something happen that somebody else has asked for"),
    _decision(Decision.REJECT, "Let something not happen: with a role, or as whom it is about"),
)
