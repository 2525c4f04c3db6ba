"""Flags: an office sees its union's, a manager those of the shop; either decides what they are."""

from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.session import in_transaction
from api.errors import NotFound
from api.flags.model import Flag, FlagEvent
from api.flags.schemas import FlagDecisionBody, FlagsQuery, FlagView, flag_view
from api.flags.store import find_flag, list_flags
from api.http.pages import Listing
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of, id_of, person_of, shop_of

LIST: Final = "listFlags"


async def read_flags(call: ApiCall) -> Listing[FlagView]:
    """List flags, newest first."""
    query, cursors, shop = call.query, call.service.cursors, shop_of(call)
    union_id = person_of(call).union_id
    owner = f"{union_id}|{shop}"
    below = cursors.read(query.cursor, LIST, owner)
    async with call.service.engine.connect() as connection:
        rows = await list_flags(
            connection,
            union_id,
            shop,
            None if below is None else str(below[0]),
            query.limit + 1,
            None if query.state is UNSET else query.state,
            None if query.detector is UNSET else query.detector,
        )
    return cursors.page(rows, query.limit, _place, flag_view, LIST, owner)


def _place(flag: Flag) -> tuple[str]:
    return (flag.id,)


async def read_flag(call: ApiCall) -> FlagView:
    """Give a flag; another shop's is not found."""
    shop, union_id = shop_of(call), person_of(call).union_id
    async with call.service.engine.connect() as connection:
        flag = await find_flag(connection, union_id, id_of(call, "flagId"))
    if flag is None or (shop and flag.merchant_id != shop):
        raise NotFound("there is no such flag")
    return flag_view(flag)


def _deciding(event: FlagEvent) -> Callable[[ApiCall], Awaitable[FlagView]]:
    async def decide(call: ApiCall) -> FlagView:
        actor, shop, service = actor_of(call), shop_of(call), call.service
        flag_id = id_of(call, "flagId")

        async def work(connection: AsyncConnection) -> Flag:
            return await service.flags.decide(
                connection, actor, shop, flag_id, event, call.body.reason
            )

        return flag_view(await in_transaction(service.engine, work))

    return decide


def _decision(event: FlagEvent, summary: str) -> Route:
    return Route(
        method="POST",
        path=f"/api/v1/flags/{{flagId}}/{event}",
        operation=f"{event}Flag",
        summary=summary,
        tag="flags",
        handler=_deciding(event),
        body=FlagDecisionBody,
        answer=FlagView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "CONFLICT", "NOT_YOURS_TO_DECIDE"),
    )


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/flags",
        operation=LIST,
        summary="List what looks odd, newest first: of the union, or of one's own shop",
        tag="flags",
        handler=read_flags,
        query=FlagsQuery,
        answer=Listing[FlagView],
    ),
    Route(
        method="GET",
        path="/api/v1/flags/{flagId}",
        operation="readFlag",
        summary="Read a flag; another shop's is not found",
        tag="flags",
        handler=read_flag,
        answer=FlagView,
        codes=("NOT_FOUND",),
    ),
    _decision(FlagEvent.CONFIRM, "Say that it is as it looks; the flag stands on"),
    _decision(FlagEvent.RELEASE, "Say that it is over, or never was"),
)
