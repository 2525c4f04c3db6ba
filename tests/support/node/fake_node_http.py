"""The fake ledger behind real sockets: several nodes of one chain, each of which can hang.

A node that hangs still takes connections, and keeps those that it has; it never answers, as a
process does that was stopped.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import uvicorn
from msgspec import structs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from node.client.errors import NodeUnavailable
from node.client.framing import encode_frame
from node.client.queries import BLOCKS, QUERIES, SUBMIT
from node.client.query import Query
from node.client.requests import Request as Asked
from tests.support.node.fake_node import FakeNode
from tests.support.system.ports import free_port


class HttpNode:
    """One node's RPC over a ledger that others serve as well."""

    def __init__(self, ledger: FakeNode) -> None:
        self._ledger = ledger
        self._going = asyncio.Event()
        self._going.set()
        self._held: dict[str, tuple[bool, asyncio.Event]] = {}
        self._lost = 0
        self.url = f"http://127.0.0.1:{free_port()}"
        self.asked: list[str] = []

    def hang(self) -> None:
        """Answer nothing from now on."""
        self._going.clear()

    def go_on(self) -> None:
        """Answer again, also what was asked meanwhile."""
        self._going.set()

    def hold(self, path: str, *, answers: bool = False) -> None:
        """Let what is asked at a path wait at the door, or only its answers; the rest goes on."""
        self._held[path] = (answers, asyncio.Event())

    def release(self, path: str, *, lost: bool = False) -> None:
        """Go on with what was held, unless it is lost, as with a machine between that died."""
        self._lost += lost
        self._held.pop(path)[1].set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve until the block ends."""
        port = int(self.url.rsplit(":", 1)[1])
        config = uvicorn.Config(
            self._gate(_app(self._ledger)), port=port, log_config=None, lifespan="off", ws="none"
        )
        config.timeout_graceful_shutdown = 1
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.005)
        try:
            yield
        finally:
            self.go_on()
            server.should_exit = server.force_exit = True
            await task

    def _gate(self, app: ASGIApp) -> ASGIApp:
        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            self.asked.append(f"{scope['method']} {scope['path']}")
            await self._going.wait()
            answers, held = self._held.get(scope["path"], (True, self._going))
            if not answers:
                lost = self._lost
                await held.wait()
                if self._lost > lost:
                    return

            async def held_send(message: object) -> None:
                await self._going.wait()
                await held.wait()
                await send(message)  # type: ignore[arg-type]  # what the app sends

            await app(scope, receive, held_send)

        return gated


class _Routes:
    """What a node's RPC answers, in MessagePack: every row of the table that the ledger knows."""

    def __init__(self, ledger: FakeNode) -> None:
        self._ledger = ledger

    def routes(self) -> list[Route]:
        """Make a route of every row."""
        more = {SUBMIT.name: self._submit, BLOCKS.name: self._blocks}
        return [
            Route(
                query.path,
                more.get(query.name, partial(self._plain, query)),
                methods=[query.method],
            )
            for query in QUERIES
            if hasattr(self._ledger, query.name)
        ]

    async def _plain(self, query: Query[Asked, object], request: Request) -> Response:
        asked, more = _read(query, request)
        answer = await getattr(self._ledger, query.name)(*structs.astuple(asked), *more)
        return Response(answer) if isinstance(answer, bytes) else _packed(answer)

    async def _submit(self, request: Request) -> Response:
        raws = msgspec.msgpack.decode(await request.body(), type=list[bytes])
        return _packed(await self._ledger.submit(raws))

    async def _blocks(self, request: Request) -> Response:
        asked, _ = _read(BLOCKS, request)
        return StreamingResponse(_frames(self._ledger, asked.start))


def _read(query, request: Request):
    return query.read({**request.query_params, **request.path_params}, lambda: "dbill")


async def _away(_: Request, fault: Exception) -> Response:
    return Response(msgspec.json.encode({"code": "node_unavailable", "detail": str(fault)}), 503)


def _app(ledger: FakeNode) -> Starlette:
    return Starlette(
        routes=_Routes(ledger).routes(),
        exception_handlers={NodeUnavailable: _away},
    )


def _packed(view: object) -> Response:
    return Response(msgspec.msgpack.encode(view), media_type="application/msgpack")


async def _frames(ledger: FakeNode, start: int) -> AsyncIterator[bytes]:
    async for block in ledger.blocks(start):
        yield encode_frame(msgspec.msgpack.encode(block))
