"""A guarded HTTP server over a small application, and raw connections to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from node.httpd.admission import Admission
from node.httpd.limits import HttpLimits
from node.httpd.server import GuardedServer, bind
from tests.support.node.rpc_runs import poll, run_async

LARGE_BYTES = 8 * 1024 * 1024


class Wire:
    """One raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self._writer.write(data)

    async def sent(self, data: bytes) -> None:
        """Write bytes and wait until they are on their way, or the server hung up."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            pass

    async def answer(self) -> tuple[int, bytes]:
        """Read one answer: its status and its body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return status, await self._reader.readexactly(int(line.split(b":")[1]))
        return status, b""

    async def get(self, path: str = "/") -> tuple[int, bytes]:
        """Ask and read the answer."""
        self.send(get(path))
        return await self.answer()

    async def rest(self) -> bytes:
        """Read until the server closes."""
        try:
            return await self._reader.read()
        except ConnectionError:
            return b""

    def close(self) -> None:
        """End the connection, whatever is unread or unsent."""
        self._writer.transport.abort()

    def listen(self, *, on: bool) -> None:
        """Read what comes, or leave it lying."""
        transport = self._writer.transport  # Of both directions.
        (transport.resume_reading if on else transport.pause_reading)()


def get(path: str = "/", *fields: str) -> bytes:
    """Write a GET request."""
    lines = [f"GET {path} HTTP/1.1", "Host: milk", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def post(size: int, path: str = "/") -> bytes:
    """Write the head of a POST whose body has `size` bytes."""
    return f"POST {path} HTTP/1.1\r\nHost: milk\r\nContent-Length: {size}\r\n\r\n".encode()


@dataclass
class Served:
    """A running server."""

    port: int
    admission: Admission
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Lets the answers of /wait come."""
    asked: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Paths of the requests whose client left before its body was whole."""
    wires: list[Wire] = field(default_factory=list)

    async def wire(self, source: str = "127.0.0.1") -> Wire:
        """Connect from an address of the loopback."""
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0)))
        self.wires.append(wire)
        return wire

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with path and size of the body; `/large` is large, `/wait` waits.

        `/early` answers before it has read a body, `/later` reads one when told to.
        """
        path, size, more = scope["path"], 0, True
        self.asked.append(path)
        if path == "/later":
            await self.go.wait()
        while more and path != "/early":
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.append(path)
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        if path == "/wait":
            await self.go.wait()
        fields = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        body = bytes(LARGE_BYTES) if path == "/large" else f"{path} {size} {fields}".encode()
        head = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def guarded(**limits: object) -> AsyncIterator[Served]:
    """Run a server; at the end nobody is connected and no body is held."""
    listener = bind("127.0.0.1", 0)
    admission = Admission(HttpLimits(**limits))
    served = Served(listener.getsockname()[1], admission)
    server = GuardedServer(served.app, admission, lifespan="off")
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await poll(lambda: server.started)
    try:
        yield served
    finally:
        served.go.set()
        for wire in served.wires:
            wire.close()
        await poll(lambda: not len(admission))
        assert admission.held_bytes == 0
        server.should_exit = True
        await serving
        listener.close()


def served(**limits: object) -> Callable[[Callable[[Served], Awaitable[None]]], None]:
    """Run a test against a server with these limits."""

    def decorate(test: Callable[[Served], Awaitable[None]]) -> None:
        async def whole() -> None:
            async with guarded(**limits) as server:
                await test(server)

        run_async(whole)

    return decorate
