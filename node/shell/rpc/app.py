"""The RPC process: HTTP for clients of a node, in a process of its own.

It holds no keys and decides nothing: it reads what `node.client.queries` lets a client ask, asks
the node over `NodeLink`, and presents. JSON is for people; a client that likes MessagePack as well
gets the views as they are. Wrong input is answered with problem+json and never reaches the node
(docs/spec/wire.md §7).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ledger.errors.store import PrunedBlock
from ledger.primitives.codec import encode
from ledger.primitives.errors import CodecFault
from ledger.types.transaction import decode_transaction
from node.client.errors import NodeUnavailable, Unanswered
from node.client.framing import HEARTBEAT, encode_frame
from node.client.line_queries import DEVICE, LINE, MILK_TANK, PROVEN
from node.client.parameters import Value
from node.client.queries import (
    BLOCK,
    BLOCK_AT,
    BLOCKS,
    JSON,
    LOT,
    MSGPACK,
    PROOF,
    QUERIES,
    STATUS,
    SUBMIT,
    TRACE,
    TRANSACTION,
)
from node.client.query import A_co, Query, R_co
from node.client.requests import GetStatus, Request
from node.client.views import FinalBlock, Json, TraceAnswer, present
from node.core.proving import Lack, ProofAnswer
from node.httpd.places import StreamPlaces
from node.httpd.problems import HANDLERS, Problem
from node.lightclient import PROOF_BYTES_MAX, Material, make_proof
from node.shell.rpc import wire
from node.shell.rpc.bodies import read_batch, wants_msgpack
from node.shell.rpc.link import NodeLink
from node.shell.rpc.openapi import format_document

FOLLOWERS_MAX: Final = 512
QUIET_S: Final = 5.0
"""A stream of blocks shows a sign of life at least this often."""

LACKS: Final = {
    LOT.name: "there is no such lot",
    LINE.name: "there is no such line",
    DEVICE.name: "nobody admitted this device",
    MILK_TANK.name: "no milk ever came into this tank",
    PROVEN.name: "no window proved such a lot",
}
"""Queries of one thing, and what is said if there is none."""


class RpcApp:
    """The endpoints, over one link: a row of `QUERIES` each."""

    def __init__(self, link: NodeLink) -> None:
        self._link = link
        self._followers = StreamPlaces(FOLLOWERS_MAX)

    def routes(self) -> list[Route]:
        """Make a route of every row; those that take more than to ask and to show are told here."""
        more = {
            SUBMIT.name: self._submit,
            TRANSACTION.name: self._transaction,
            TRACE.name: self._trace,
            BLOCKS.name: self._blocks,
            BLOCK_AT.name: self._block_at,
            BLOCK.name: self._block,
            PROOF.name: self._proof,
        }
        return [
            Route(
                query.path,
                more.get(query.name)
                or partial(self._one if query.name in LACKS else self._plain, query),
                methods=[query.method],
                name=query.name,
            )
            for query in QUERIES
        ]

    def _read(self, http: HttpRequest, query: Query[R_co, A_co]) -> tuple[R_co, tuple[Value, ...]]:
        texts = http.path_params
        if http.scope["query_string"]:
            texts = {**http.query_params, **texts}
        return query.read(texts, self._prefix)

    async def _plain(self, query: Query[Request, object], http: HttpRequest) -> Response:
        """Ask the node, and show what it answers."""
        asked, _ = self._read(http, query)
        answer = await self._link.ask(asked, query.answer)
        if isinstance(answer, bytes):
            return Response(answer, media_type=query.media)
        return self._show(http, query, answer)

    async def _submit(self, http: HttpRequest) -> Response:
        """Take a batch of transactions in; one submission each, in order."""
        raws = await read_batch(http)
        try:
            outcomes = await self._link.submit(raws)
        except NodeUnavailable as fault:
            raise await asyncio.to_thread(_not_answered, raws, fault) from fault
        return self._show(http, SUBMIT, outcomes)

    async def _transaction(self, http: HttpRequest) -> Response:
        """Show a transaction, waiting for it to be final if asked to."""
        asked, (wait_ms,) = self._read(http, TRANSACTION)
        view = await self._link.transaction(asked.txid, int(wait_ms) / 1_000)
        return self._show(http, TRANSACTION, view)

    async def _trace(self, http: HttpRequest) -> Response:
        """Show where the milk of a payment, pack, lot or run came from."""
        asked, _ = self._read(http, TRACE)
        answer = await self._link.ask(asked, TraceAnswer)
        if answer.trace is None:
            pruned = answer.code == PrunedBlock.code
            status = HTTPStatus.GONE if pruned else HTTPStatus.NOT_FOUND
            raise Problem(status, answer.code, answer.detail)
        return self._show(http, TRACE, answer.trace)

    async def _one(self, query: Query[Request, object], http: HttpRequest) -> Response:
        """Show one thing, or say that there is none."""
        asked, _ = self._read(http, query)
        raw = await self._link.ask(asked, msgspec.Raw)
        if msgspec.msgpack.decode(raw) is None:
            ((status, code),) = query.faults
            raise Problem(status, code, LACKS[query.name])
        return self._show(http, query, msgspec.msgpack.decode(raw, type=query.answer))

    async def _block_at(self, http: HttpRequest) -> Response:
        """Show the last finalized block that is not after a time."""
        asked, _ = self._read(http, BLOCK_AT)
        raw = await self._link.ask(asked, msgspec.Raw)
        height = msgspec.msgpack.decode(raw, type=int | None)
        if height is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown_block", "the chain began after that time")
        return await self._show_block(http, height)

    async def _block(self, http: HttpRequest) -> Response:
        """Show a finalized block."""
        asked, _ = self._read(http, BLOCK)
        return await self._show_block(http, asked.height)

    async def _show_block(self, http: HttpRequest, height: int) -> Response:
        encoded = await self._encoded_block(height)
        if encoded is None:
            detail = f"no block of height {height} is final yet"
            raise Problem(HTTPStatus.NOT_FOUND, "unknown_block", detail)
        if wants_msgpack(http):
            return Response(encoded, media_type=MSGPACK, headers=_VARY)
        return self._show(http, BLOCK, msgspec.msgpack.decode(encoded, type=FinalBlock))

    async def _blocks(self, http: HttpRequest) -> Response:
        """Stream finalized blocks from a height on: frames of MessagePack, empty ones for life."""
        asked, _ = self._read(http, BLOCKS)
        host = http.client.host if http.client else ""
        if not self._followers.free(host):
            raise NodeUnavailable("too many follow this node from there: try another")
        await self._encoded_block(asked.start)  # Not running is an error now, not an empty stream.
        if http.method == "HEAD":  # Not the stream, whose end nobody would see.
            return StreamingResponse((), media_type=BLOCKS.media)
        return StreamingResponse(self._follow(host, asked.start), media_type=BLOCKS.media)

    async def _encoded_block(self, height: int) -> bytes | None:
        """Give an encoded block, or None above the head; raise `Problem` if it is pruned."""
        encoded = await self._link.block(height)
        if encoded is None:
            status = await self._link.ask(GetStatus(), STATUS.answer)
            if 0 < height < status.kept_from:
                fault = PrunedBlock(height=height, kept_from=status.kept_from)
                raise Problem(HTTPStatus.GONE, fault.code, str(fault))
        return encoded

    async def _follow(self, host: str, start: int) -> AsyncIterator[bytes]:
        if not self._followers.take(host):
            return
        try:
            async with contextlib.aclosing(self._link.blocks(start, QUIET_S)) as blocks:
                async for encoded in blocks:
                    yield encode_frame(encoded) if encoded else HEARTBEAT
        except NodeUnavailable:
            return  # The stream ends; the follower comes back for the next height.
        finally:
            self._followers.give_back(host)

    async def _proof(self, http: HttpRequest) -> Response:
        """Prove that a transaction is final, to whoever knows the committee of an epoch."""
        asked, _ = self._read(http, PROOF)
        answer = await self._link.ask(asked, ProofAnswer)
        if answer.material is None:
            raise Problem(HTTPStatus.NOT_FOUND, answer.lack.value, answer.detail)
        # Hashing the trees of a full block takes long enough that others should not wait for it.
        raw = await asyncio.to_thread(_prove, answer.material)
        return Response(raw, media_type=PROOF.media)

    def _show(self, http: HttpRequest, query: Query[R_co, A_co], value: object) -> Response:
        """Present a view as the client wants it; lists stand under a name in JSON."""
        if wants_msgpack(http):
            return Response(wire.encoder.encode(value), media_type=MSGPACK, headers=_VARY)
        shown = present(value, self._prefix())
        body = msgspec.json.encode({query.under: shown} if query.under else shown)
        return Response(body, media_type=JSON, headers=_VARY)

    def _prefix(self) -> str:
        if self._link.status is None:
            raise NodeUnavailable("the node just starts: try again")
        return self._link.status.prefix


_VARY: Final = {"vary": "accept"}


def _not_answered(raws: tuple[bytes, ...], fault: NodeUnavailable) -> Problem:
    """Tell a client that got no answer whether its transactions were taken, and how to learn it."""
    taken: dict[str, Json] = {"taken": "no"}
    detail = f"{fault}; nothing was taken"
    if isinstance(fault, Unanswered):
        taken = {"taken": "unknown", "txids": [_txid(raw) for raw in raws]}
        detail = (
            f"{fault}; it may have been taken: ask for the id at {TRANSACTION.path}, and if it "
            f"stays unknown hand the same bytes in again, which can't take effect twice"
        )
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, "node_unavailable", detail, more=taken)


def _txid(raw: bytes) -> str | None:
    """Name a transaction, by what its client signed; None if it is none."""
    try:
        return decode_transaction(raw).id.hex()
    except CodecFault:
        return None


def _prove(material: Material) -> bytes:
    """Encode a proof of the material; raise `Problem` if a client would not read it."""
    raw = encode(make_proof(material))
    if len(raw) > PROOF_BYTES_MAX:
        detail = f"the proof would have {len(raw)} bytes: keep a newer anchor, ask from its epoch"
        raise Problem(HTTPStatus.NOT_FOUND, Lack.NO_PROOF.value, detail)
    return raw


def make_app(link: NodeLink) -> Starlette:
    """Join the endpoints to an ASGI application that keeps the link while it runs."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        keeping = asyncio.create_task(link.run())
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping

    document = format_document().encode()

    async def describe(_http: HttpRequest) -> Response:
        return Response(document, media_type=JSON)

    return Starlette(
        routes=[*RpcApp(link).routes(), Route("/openapi.json", describe)],
        exception_handlers=HANDLERS,
        lifespan=lifespan,
    )
