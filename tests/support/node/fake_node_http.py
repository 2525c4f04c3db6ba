"""The fake ledger behind real sockets: several nodes of one chain, each of which can hang.

A node that hangs still takes connections, and keeps those that it has; it never answers, as a
process does that was stopped.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ledger.primitives.keys import Address
from node.client.errors import NodeUnavailable
from node.client.framing import encode_frame
from tests.support.api.postgres import free_port
from tests.support.node.fake_node import FakeNode


class HttpNode:
    """One node's RPC over a ledger that others serve as well."""

    def __init__(self, ledger: FakeNode) -> None:
        self._ledger = ledger
        self._going = asyncio.Event()
        self._going.set()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.asked: list[str] = []

    def hang(self) -> None:
        """Answer nothing from now on."""
        self._going.clear()

    def go_on(self) -> None:
        """Answer again, also what was asked meanwhile."""
        self._going.set()

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

            async def held_send(message: object) -> None:
                await self._going.wait()
                await send(message)  # type: ignore[arg-type]  # what the app sends

            await app(scope, receive, held_send)

        return gated


class _Routes:
    """What a node's RPC answers, in MessagePack."""

    def __init__(self, ledger: FakeNode) -> None:
        self._ledger = ledger

    async def status(self, _: Request) -> Response:
        return _packed(await self._ledger.status())

    async def genesis(self, _: Request) -> Response:
        return Response(await self._ledger.genesis())

    async def submit(self, request: Request) -> Response:
        raws = msgspec.msgpack.decode(await request.body(), type=list[bytes])
        return _packed(await self._ledger.submit(raws))

    async def transaction(self, request: Request) -> Response:
        return _packed(await self._ledger.transaction(bytes.fromhex(request.path_params["txid"])))

    async def account(self, request: Request) -> Response:
        address = Address(bytes.fromhex(request.path_params["address"]))
        return _packed(await self._ledger.account(address))

    async def lots(self, request: Request) -> Response:
        return _packed(await self._ledger.lots(int(request.query_params["limit"])))

    async def blocks(self, request: Request) -> Response:
        start = int(request.query_params["from"])
        return StreamingResponse(_frames(self._ledger, start))


async def _away(_: Request, fault: Exception) -> Response:
    return Response(msgspec.json.encode({"code": "node_unavailable", "detail": str(fault)}), 503)


def _app(ledger: FakeNode) -> Starlette:
    routes = _Routes(ledger)
    return Starlette(
        routes=[
            Route("/v1/status", routes.status),
            Route("/v1/genesis", routes.genesis),
            Route("/v1/transactions", routes.submit, methods=["POST"]),
            Route("/v1/transactions/{txid}", routes.transaction),
            Route("/v1/accounts/{address}", routes.account),
            Route("/v1/lots", routes.lots),
            Route("/v1/blocks", routes.blocks),
        ],
        exception_handlers={NodeUnavailable: _away},
    )


def _packed(view: object) -> Response:
    return Response(msgspec.msgpack.encode(view), media_type="application/msgpack")


async def _frames(ledger: FakeNode, start: int) -> AsyncIterator[bytes]:
    async for block in ledger.blocks(start):
        yield encode_frame(msgspec.msgpack.encode(block))
