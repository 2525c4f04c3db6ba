"""How a node is asked over HTTP: one connection pool, one request, one answer or one fault.

What can be asked is in `node.client.http`. Whatever goes wrong is one of two faults:
`NodeUnavailable` (try again, perhaps elsewhere) or `Rejected` (do not).
"""

import asyncio
from types import TracebackType
from typing import Final, Self, TypeVar, cast

import httpx

from node.addresses import check_url
from node.client.answers import decode_answer, raise_for
from node.client.errors import NodeUnavailable, Unanswered
from node.client.failover import (
    PATIENCE,
    PATIENCE_S,
    REACHED,
    REPEATABLE,
    UNREACHED,
    FailoverTransport,
)
from node.client.parameters import Value
from node.client.queries import MSGPACK
from node.client.query import Query
from node.client.requests import Request
from node.client.tracing import HEADER, TRACEPARENT

TIMEOUT_S: Final = 15.0
"""Also how long a stream of blocks may be silent: the node shows life every 5 s."""
AT_ONCE_MAX: Final = 32
"""Requests under way; more wait here, since a queue in the HTTP pool costs its square in CPU."""

R = TypeVar("R", bound=Request)
A = TypeVar("A")


class Asker:
    """A connection pool to a node, or to the first of several that answers."""

    def __init__(self, *base_urls: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.base_url = check_url(base_urls[0]).rstrip("/")
        self._named = self.base_url if len(base_urls) == 1 else f"{len(base_urls)} nodes"
        if transport is None and len(base_urls) > 1:
            transport = FailoverTransport(base_urls)
        self._free = asyncio.Semaphore(AT_ONCE_MAX)
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            transport=transport,
            timeout=httpx.Timeout(TIMEOUT_S, connect=3.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=AT_ONCE_MAX),
            headers={"accept": MSGPACK},
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def _ask(
        self, query: Query[R, A], request: R, *more: Value, patience_s: float = PATIENCE_S
    ) -> A:
        """Ask what a row of the table says; `more` is what the HTTP process heeds by itself."""
        url = query.url(request, *more)
        response = await self._request(query.method, url, patience_s=patience_s)
        if query.media:
            return cast("A", response.content)
        return decode_answer(response.content, query.answer)

    async def _request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        patience_s: float = PATIENCE_S,
        repeatable: bool = False,
    ) -> httpx.Response:
        """Ask once; raise a `ClientFault` for anything but success."""
        reached: list[httpx.URL] = []
        extensions = {
            PATIENCE: patience_s,
            REPEATABLE: repeatable or method == "GET",
            REACHED: reached,
        }
        headers = {} if content is None else {"content-type": MSGPACK}
        if trace := TRACEPARENT.get():
            headers[HEADER] = trace
        try:
            async with self._free:
                response = await self._http.request(
                    method, url, content=content, headers=headers, extensions=extensions
                )
        except httpx.HTTPError as error:
            kind = NodeUnavailable if isinstance(error, UNREACHED) and not reached else Unanswered
            raise kind(f"no answer from {self._named}: {error!r}") from error
        raise_for(response, len(reached))
        return response
