"""Events in JSON: the same shape in lists and in webhooks."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.amounts import format_time
from api.events.kinds import EventKind
from api.events.store import KeptEvent
from api.http.pages import PageQuery
from api.http.scalars import TimeText

API_VERSION: Final = "1"
"""The version of the bodies of events: members are added to it and never taken away."""

EventIdText = Annotated[
    str,
    Meta(
        pattern="^evt_[0-9A-HJKMNP-TV-Z]{26}_[1-9][0-9]*$",
        description="The event's name: also the `webhook-id` of each of its deliveries.",
    ),
]


class EventView(msgspec.Struct, frozen=True, rename="camel"):
    """An event. `data` is the thing as it stood after the change."""

    id: EventIdText
    type: Annotated[str, Meta(description="What happened, as in `order.paid`.")]
    sequence: Annotated[
        int, Meta(description="Counts the merchant's events one by one: a gap is a lost event.")
    ]
    timestamp: TimeText
    api_version: str
    livemode: bool
    data: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class EventsQuery(PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which events are asked for; the oldest first."""

    after: Annotated[
        int,
        Meta(ge=0, le=2**53, description="Those beyond this `sequence`: what one has seen."),
    ] = 0
    type: Annotated[EventKind | UnsetType, Meta(description="Those of one kind.")] = UNSET


def event_view(event: KeptEvent, *, livemode: bool) -> EventView:
    """Show an event."""
    return EventView(
        event.id,
        event.kind,
        event.seq,
        format_time(event.at_ms),
        API_VERSION,
        livemode,
        event.body,
    )
