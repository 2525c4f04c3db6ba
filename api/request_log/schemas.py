"""The request log in JSON: how it is asked for, and what it tells of a request."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.http.pages import PageQuery
from api.http.scalars import TimeText, UlidText


class RequestLogQuery(
    PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Whose requests, and which of them."""

    key_id: Annotated[
        str, Meta(max_length=26, description="The key; a key itself reads its own alone.")
    ] = ""
    failed: Annotated[bool, Meta(description="Those with a status of 400 or more alone.")] = False


class PointedFault(msgspec.Struct, frozen=True, rename="camel"):
    """What was wrong, and where."""

    pointer: str
    code: str


class RequestView(msgspec.Struct, frozen=True, rename="camel"):
    """A request and how it was answered."""

    id: UlidText
    request_id: Annotated[str, Meta(description="As `X-Request-Id` told it.")]
    at: TimeText
    method: str
    path: str
    status: int
    code: Annotated[str | None, Meta(description="The problem's code.")]
    errors: list[PointedFault]
    took_ms: Annotated[int, Meta(ge=0)]
    curl: Annotated[
        str,
        Meta(description="The request as a command, with `$BILLCOIN_KEY` in place of the key."),
    ]
