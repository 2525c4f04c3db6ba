"""HTTP/1.1 for a generator: one kept connection a client, one request at a time, little else.

A general client costs several times what the server under test does. This one writes the head it
is given, parses the answer with httptools, and gives status and body. Keep-alive only; a
connection that was lost is opened again at the next request.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from httptools import HttpResponseParser

PATIENCE_S: Final = 60.0
"""No request is waited for any longer: what takes longer is lost, and counted so."""


class RequestFailed(Exception):
    """The connection ended, or time ran out, before the whole answer came."""


class _Exchange(asyncio.Protocol):
    """One connection: collects the body of the answer that is due."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._sink: asyncio.Queue[bytes] | None = None
        self.transport: asyncio.Transport | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.is_open = transport, True

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(RequestFailed(f"connection lost: {exc!r}"))
        if self._sink is not None:
            self._sink.put_nowait(b"")

    # httptools' callbacks.

    def on_message_begin(self) -> None:
        self._parts.clear()

    def on_body(self, part: bytes) -> None:
        if self._sink is not None:
            self._sink.put_nowait(part)
        else:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._parts)))

    # What the client asks.

    def send(self, head_and_body: bytes) -> "asyncio.Future[tuple[int, bytes]]":
        """Write a request; the future gives its answer."""
        assert self.transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(head_and_body)
        return self._answer

    def stream(self, head: bytes) -> "asyncio.Queue[bytes]":
        """Write a request whose body has no end; empty bytes come when it ends after all."""
        assert self.transport is not None
        self._sink = asyncio.Queue()
        self.transport.write(head)
        return self._sink


class Client:
    """One keep-alive connection to one server."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._common = f"Host: {parts.netloc}\r\n{lines}"
        self._exchange: _Exchange | None = None

    async def connect(self) -> _Exchange:
        """Open the connection, unless it is open."""
        if self._exchange is None or not self._exchange.is_open:
            loop = asyncio.get_running_loop()
            _, self._exchange = await loop.create_connection(_Exchange, *self._address)
        return self._exchange

    async def ask(
        self, method: str, path: str, body: bytes = b"", extra: str = ""
    ) -> tuple[int, bytes]:
        """Make a request; give status and body. `extra` are whole header lines."""
        try:
            exchange = await self.connect()
            head = f"{method} {path} HTTP/1.1\r\n{self._common}{extra}"
            head += f"Content-Length: {len(body)}\r\n\r\n"
            async with asyncio.timeout(PATIENCE_S):
                return await exchange.send(head.encode() + body)
        except (OSError, TimeoutError) as error:
            self.close()
            raise RequestFailed(f"{method} {path}: {error!r}") from error

    async def follow(self, path: str) -> AsyncIterator[bytes]:
        """Give the parts of a body as they come, until it ends."""
        exchange = await self.connect()
        parts = exchange.stream(f"GET {path} HTTP/1.1\r\n{self._common}\r\n".encode())
        while part := await parts.get():
            yield part

    def close(self) -> None:
        """Close the connection."""
        if self._exchange is not None and self._exchange.transport is not None:
            self._exchange.transport.close()
        self._exchange = None
