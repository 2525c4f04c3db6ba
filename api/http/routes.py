"""What a route is: a plain value that HTTP, OpenAPI and tests read alike.

A resource lists its routes in `ROUTES`; `api.http.resources` joins them, `api.http.switchboard`
serves them and `api.http.openapi` describes them. A route says what it reads and answers, never who
may call it: that stands in `api.access.table`.

    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/cancel",
        operation="cancelOrder",
        summary="Cancel an order that nobody has paid.",
        tag="orders",
        handler=cancel_order,
        answer=OrderView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "PAYMENT_IN_FLIGHT"),
    )
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import msgspec
from starlette.requests import Request

from api.access.principals import Principal
from api.http.idempotency import Token
from api.http.replies import Answer
from api.service import Service

BODY_BYTES_MAX: Final = 4_096


class Idempotency(Enum):
    """What makes a request that is sent twice count once."""

    NONE = "none"
    """It changes nothing, or may be done twice."""
    KEY = "key"
    """The caller names it with an Idempotency-Key."""
    NATURAL = "natural"
    """Its own id, or the state of what it acts on."""


@dataclass(slots=True)
class ApiCall:
    """A request that was admitted and read: all that a handler gets.

    `headers` go with whatever is answered, a problem too. `once` is there on routes that want an
    Idempotency-Key.
    """

    request: Request
    service: Service
    principal: Principal
    merchant_id: str
    raw: bytes | None = None
    body: Any = None
    query: Any = None
    path: Mapping[str, str] = field(default_factory=dict)
    once: Token | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method at one path. Paths are whole segments or `{names}`."""

    method: str
    path: str
    operation: str
    summary: str
    tag: str
    handler: Callable[[ApiCall], Awaitable[Answer]]
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    answer: object = None
    """The type of the JSON that a success answers; None if it is no JSON: see `media`."""
    media: tuple[str, ...] = ()
    """The media types of an answer that is no JSON."""
    status: int = 200
    also: int = 0
    """Another status under which `answer` comes."""
    idempotency: Idempotency = Idempotency.NONE
    codes: tuple[str, ...] = ()
    """Problem codes beyond those that every route of its kind may answer."""
    body_bytes_max: int = BODY_BYTES_MAX
    waits: bool = False
    """Whether `Prefer: wait=N` is heard."""
    first: Callable[[ApiCall], Awaitable[None]] | None = None
    """What is done once the body's bytes are there and before they are read: a quota."""
    malformed: Mapping[str, object] = field(default_factory=dict)
    """Members that a 400 bears beside a problem's own."""
    unlogged: tuple[str, ...] = ()
    """Names of its path that are kept in no log; members of bodies and queries are marked so."""
    described: bool = True
    """Whether OpenAPI tells of it."""
    development: bool = False
    """Whether it is there on chains of development alone: elsewhere nobody finds it."""
