"""A receiver of webhooks, over a real socket: it keeps what comes and answers what a test says."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.system.patience import PATIENCE_S

Answer = bytes | float | list[bytes]
"""What goes back; or for how many seconds nothing does; or parts, one after the other, slowly."""
BETWEEN_S = 0.05


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    """Write an answer."""
    lines = [f"HTTP/1.1 {code} Said", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """What came, in order."""

    url: str
    answer: Callable[[Received], Answer] = lambda _: status(200)
    received: list[Received] = field(default_factory=list)
    serving: set[asyncio.Task[None]] = field(default_factory=set)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_for(self, count: int) -> list[Received]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.received) < count:
                self._came.clear()
                await self._came.wait()
        return self.received

    @property
    def kinds(self) -> list[str]:
        return [one.event["type"] for one in self.received]

    @property
    def sequences(self) -> list[int]:
        return [one.event["sequence"] for one in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, until its other side leaves or the test ends."""
        me = asyncio.current_task()
        assert me is not None
        self.serving.add(me)
        try:
            await self._serve(reader, writer)
        except (asyncio.CancelledError, asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self.serving.discard(me)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        request = Received(headers, body)
        answer = self.answer(request)
        self.received.append(request)
        self._came.set()
        if isinstance(answer, float):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(answer):
                    await reader.read()  # Until the sender hangs up.
            return
        for part in [answer] if isinstance(answer, bytes) else answer:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(BETWEEN_S if isinstance(answer, list) else 0)


@asynccontextmanager
async def receiving(
    answer: Callable[[Received], Answer] | None = None,
) -> AsyncIterator[Receiver]:
    """Listen on the loopback."""
    receiver = Receiver("")
    if answer is not None:
        receiver.answer = answer
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?shop=1"
    try:
        yield receiver
    finally:
        server.close()
        left = list(receiver.serving)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
