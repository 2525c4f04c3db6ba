"""One way to several nodes: a request goes to the one that answered last, or to the next.

An `httpx` transport, so that the client above it need not know. A node that can't be reached is
passed over. A request that is the same when carried out twice (a read; transactions, whose ids are
their own keys) also leaves a node that is silent, breaks off or says that it can't serve now. Any
other request is not repeated once it has left, since it may have been carried out.

A node that failed is asked last for a while, and is given twice the time with every failure in a
row: one that hangs costs its caller one short wait, and nodes that are all slow are not asked for
the same thing again and again. The reader of a stream asks for it again when it breaks.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from node.addresses import check_url

PATIENCE_S: Final = 2.0
"""How long a node's answer may take to begin before the next is asked, where nothing is said."""
PATIENCE_DOUBLINGS_MAX: Final = 3
DEADLINE_S: Final = 15.0
"""How long all attempts at one request may take to bring the beginning of an answer."""
HELD_BACK_S: Final = 30.0
"""How long a node that failed is asked after all others."""

PATIENCE: Final = "patience_s"
"""The extension of a request that says how long its answer may take, as it takes long by nature."""
REPEATABLE: Final = "repeatable"
"""The extension of a request that says that doing it twice is doing it once."""

REACHED: Final = "reached"
"""The extension of a request that lists the nodes that may have got it: filled in here."""

_READS: Final = frozenset({"GET", "HEAD"})
_CANNOT_SERVE: Final = frozenset({502, 503, 504})
UNREACHED: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The faults after which no node has got a request."""


@dataclass(slots=True)
class NodeAddress:
    """A node's address, and what is remembered of its failures. Times are of one steady clock."""

    url: httpx.URL
    failures: int = 0
    """In a row; requests that were under way together fail as one."""
    failed_s: float = float("-inf")
    held_back_until_s: float = 0.0

    def fail(self, asked_s: float, now_s: float) -> None:
        """Note that what was asked at a time has failed now."""
        if asked_s > self.failed_s:
            self.failures += 1
        self.failed_s, self.held_back_until_s = now_s, now_s + HELD_BACK_S

    def succeed(self) -> None:
        """Note an answer: all is forgiven."""
        self.failures, self.held_back_until_s = 0, 0.0

    def patience_s(self, wanted_s: float) -> float:
        """Give how long this node's answer may take, where a request wants so much."""
        return wanted_s * (1 << min(self.failures, PATIENCE_DOUBLINGS_MAX))


class FailoverTransport(httpx.AsyncBaseTransport):
    """Sends each request to the first of several origins that answers."""

    def __init__(
        self,
        base_urls: Sequence[str],
        inner: httpx.AsyncBaseTransport | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        assert base_urls, "there is at least one node"
        self._origins = [NodeAddress(httpx.URL(check_url(url))) for url in base_urls]
        self._current = self._origins[0]
        self._now_s = now_s
        self._inner = inner or httpx.AsyncHTTPTransport(
            trust_env=False, limits=httpx.Limits(max_connections=None)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Try each origin once, the one that answered last first, those held back last."""
        repeatable = bool(request.extensions.get(REPEATABLE, request.method in _READS))
        wanted_s = float(request.extensions.get(PATIENCE, PATIENCE_S))
        reached: list[httpx.URL] = request.extensions.get(REACHED, [])
        end_s = self._now_s() + max(DEADLINE_S, wanted_s)
        origins = self._in_turn()
        for origin in origins:
            asked_s = self._now_s()
            rest_s = max(end_s - asked_s, 0.0)
            last = origin is origins[-1] or not rest_s
            patience_s = origin.patience_s(wanted_s) if repeatable and not last else rest_s
            try:
                async with asyncio.timeout(min(patience_s, rest_s)):
                    response = await self._send(request, origin)
            except (httpx.TransportError, TimeoutError) as fault:
                origin.fail(asked_s, self._now_s())
                if not isinstance(fault, UNREACHED):
                    reached.append(origin.url)
                if not last and (repeatable or isinstance(fault, UNREACHED)):
                    continue
                if isinstance(fault, TimeoutError):
                    raise httpx.ReadTimeout("no answer began in time") from fault
                raise
            reached.append(origin.url)
            if response.status_code in _CANNOT_SERVE:
                origin.fail(asked_s, self._now_s())
                if repeatable and not last:
                    await response.aclose()
                    continue
            else:
                origin.succeed()
                self._current = origin
            return response
        raise AssertionError("the loop returns or raises")

    def _in_turn(self) -> list[NodeAddress]:
        """Give the origins in the order in which a request tries them."""
        now_s, at = self._now_s(), self._origins.index(self._current)
        from_current = self._origins[at:] + self._origins[:at]

        def held_until_s(origin: NodeAddress) -> float:
            return origin.held_back_until_s if origin.held_back_until_s > now_s else 0.0

        return sorted(from_current, key=held_until_s)

    async def _send(self, request: httpx.Request, origin: NodeAddress) -> httpx.Response:
        url = origin.url
        request.url = request.url.copy_with(scheme=url.scheme, host=url.host, port=url.port)
        request.headers["host"] = url.netloc.decode("ascii")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
