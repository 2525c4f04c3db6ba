"""Tickets of people who can't get in, for the office: list them, close them."""

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from api.amounts import format_time
from api.db.session import in_transaction
from api.http.pages import Listing, PageQuery
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, desks_of, id_of
from api.people.schemas import RecoveryRequestView


async def list_tickets(call: ApiCall) -> Listing[RecoveryRequestView]:
    """List the union's open tickets, the oldest first."""
    query, desks, actor = call.query, desks_of(call), actor_of(call)
    cursors = call.service.cursors
    after = cursors.read(query.cursor, "listRecoveryRequests", actor.union_id)
    start = "" if after is None else str(after[0])

    async def read(connection: AsyncConnection) -> Listing[RecoveryRequestView]:
        rows = await desks.recovery.list(connection, actor.union_id, start, query.limit + 1)
        return cursors.page(
            rows,
            query.limit,
            lambda ticket: (ticket.id,),
            lambda ticket: RecoveryRequestView(
                ticket.id,
                ticket.told.name,
                ticket.told.contact,
                ticket.told.message,
                format_time(ticket.created_ms),
            ),
            "listRecoveryRequests",
            actor.union_id,
        )

    return await in_transaction(desks.means.engine, read)


async def close_ticket(call: ApiCall) -> Response:
    """Close a ticket that was answered."""
    desks, actor = desks_of(call), actor_of(call)
    ticket = id_of(call, "ticketId")
    await in_transaction(desks.means.engine, lambda c: desks.recovery.close(c, actor, ticket))
    return Response(status_code=204)


def _route(method: str, path: str, operation: str, summary: str, **more: Any) -> Route:
    return Route(
        method=method,
        path=f"/api/v1{path}",
        operation=operation,
        summary=summary,
        tag="people",
        **more,
    )


ROUTES: Final = (
    _route(
        "GET", "/recovery-requests", "listRecoveryRequests", "List the open tickets",
        handler=list_tickets, query=PageQuery, answer=Listing[RecoveryRequestView], codes=(),
    ),
    _route(
        "POST", "/recovery-requests/{ticketId}/close", "closeRecoveryRequest",
        "Close a ticket that was answered", handler=close_ticket, codes=("NOT_FOUND",), status=204,
        idempotency=Idempotency.NATURAL,
    ),
)  # fmt: skip
