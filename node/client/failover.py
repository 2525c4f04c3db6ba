"""One way to several nodes: a request goes to the one that answered last, or to the next.

An `httpx` transport, so that the client above it need not know. Only a node that can't be reached
is passed over: once a request has left, it is not repeated elsewhere, since it may have been
carried out. A stream that breaks is asked for again by who reads it, and then goes elsewhere.
"""

from collections.abc import Sequence

import httpx


class FailoverTransport(httpx.AsyncBaseTransport):
    """Sends each request to the first of several origins that can be reached."""

    def __init__(
        self, base_urls: Sequence[str], inner: httpx.AsyncBaseTransport | None = None
    ) -> None:
        assert base_urls, "there is at least one node"
        self._origins = [httpx.URL(url) for url in base_urls]
        self._current = 0
        self._inner = inner or httpx.AsyncHTTPTransport(
            trust_env=False, limits=httpx.Limits(max_connections=None)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Try each origin once, the one that answered last first."""
        count = len(self._origins)
        for step in range(count):
            at = (self._current + step) % count
            origin = self._origins[at]
            request.url = request.url.copy_with(
                scheme=origin.scheme, host=origin.host, port=origin.port
            )
            request.headers["host"] = origin.netloc.decode("ascii")
            try:
                response = await self._inner.handle_async_request(request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if step == count - 1:
                    raise
                continue
            self._current = at
            return response
        raise AssertionError("the loop returns or raises")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()
