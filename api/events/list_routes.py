"""`GET /api/v1/events`: what happened to a merchant, from any point on that is still kept."""

from typing import Final

from msgspec import UNSET

from api.errors import NotFound
from api.events.schemas import EventsQuery, EventView, event_view
from api.events.store import find_event, list_events, seq_of
from api.http.pages import Listing
from api.http.routes import ApiCall, Route

PATH: Final = "/api/v1/events"
LIST: Final = "listEvents"


async def list_merchants_events(call: ApiCall) -> Listing[EventView]:
    """List the merchant's events, the oldest first."""
    service, query, livemode = call.service, call.query, call.service.config.livemode
    kinds = () if query.type is UNSET else (str(query.type),)
    owner = f"{call.merchant_id}/{''.join(kinds)}"
    cursor = service.cursors.read(query.cursor, LIST, owner)
    after = max(query.after, int(cursor[0]) if cursor else 0)
    async with service.engine.connect() as connection:
        events = await list_events(connection, call.merchant_id, after, kinds, query.limit + 1)
    return service.cursors.page(
        events,
        query.limit,
        lambda event: (event.seq,),
        lambda event: event_view(event, livemode=livemode),
        LIST,
        owner,
    )


async def read_event(call: ApiCall) -> EventView:
    """Read an event; another merchant's is not found."""
    service = call.service
    seq = seq_of(call.path["eventId"], call.merchant_id)
    if seq is not None:
        async with service.engine.connect() as connection:
            event = await find_event(connection, call.merchant_id, seq)
        if event is not None:
            return event_view(event, livemode=service.config.livemode)
    raise NotFound("there is no such event")


ROUTES: Final = (
    Route(
        method="GET",
        path=PATH,
        operation=LIST,
        summary="List the merchant's events, the oldest first",
        tag="events",
        handler=list_merchants_events,
        query=EventsQuery,
        answer=Listing[EventView],
    ),
    Route(
        method="GET",
        path=f"{PATH}/{{eventId}}",
        operation="readEvent",
        summary="Read an event; another merchant's is not found",
        tag="events",
        handler=read_event,
        answer=EventView,
        codes=("NOT_FOUND",),
    ),
)
