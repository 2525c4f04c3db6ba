"""The status in JSON: how the service is now, and how its last 30 days were."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.http.scalars import TimeText


class OutageView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Minutes in a row in which payments could not be taken."""

    begins_at: TimeText = msgspec.field(name="from")
    ends_at: Annotated[TimeText, Meta(description="The first minute after it.")] = msgspec.field(
        name="to"
    )
    part: Annotated[
        str,
        Meta(description="`database`, `node`, `follower`; `service` where nobody could tell."),
    ]


class StatusView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Whether payments can be taken now, and how it was in the last 30 days."""

    status: Annotated[str, Meta(extra_json_schema={"enum": ["ready", "not_ready"]})]
    parts: Annotated[dict[str, bool], Meta(description="Whether each part works now.")]
    observed_since: Annotated[TimeText | None, Meta(description="Null before the first minute.")]
    observed_minutes: int
    good_minutes: int
    availability: Annotated[
        str,
        Meta(
            pattern=r"^[0-9]{1,3}\.[0-9]{2}$",
            description="Good minutes of those that were observed, in percent, rounded down.",
        ),
    ]
    outages: Annotated[list[OutageView], Meta(description="The newest 100, newest first.")]
    more_outages: bool
