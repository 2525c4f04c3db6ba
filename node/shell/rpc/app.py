"""The RPC process: HTTP for clients of a node, in a process of its own.

It holds no keys and decides nothing: it decodes, asks the node over `NodeLink`, and presents.
JSON is for people; a client that accepts `application/msgpack` gets the views as they are. Wrong
input is answered with problem+json and never reaches the node (docs/spec/wire.md §7).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ledger.errors.store import PrunedBlock
from ledger.primitives.codec import encode
from ledger.primitives.errors import BadAddress
from ledger.primitives.hashing import HASH_BYTES, ZERO_HASH, Hash
from ledger.primitives.keys import Address, parse_address
from ledger.types.transaction import TRANSACTION_BYTES_MAX
from node.client.errors import NodeUnavailable
from node.client.framing import HEARTBEAT, encode_frame
from node.client.views import (
    AccountView,
    FinalBlock,
    HistoryView,
    LotView,
    NodeStatus,
    SupplyView,
    TraceAnswer,
    present,
)
from node.core.proving import Lack, ProofAnswer
from node.lightclient import PROOF_BYTES_MAX, Material, make_proof
from node.shell.rpc import wire
from node.shell.rpc.link import NodeLink

BODY_BYTES_MAX: Final = 12 * 1024 * 1024
WAIT_MS_MAX: Final = 10_000
FOLLOWERS_MAX: Final = 512
QUIET_S: Final = 5.0
"""A stream of blocks shows a sign of life at least this often."""
MSGPACK: Final = "application/msgpack"

T = TypeVar("T")
RawText = Annotated[str, Meta(max_length=2 * TRANSACTION_BYTES_MAX)]
RawBytes = Annotated[bytes, Meta(max_length=TRANSACTION_BYTES_MAX)]


class _JsonBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    transactions: Annotated[list[RawText], Meta(min_length=1, max_length=wire.SUBMIT_MAX)]


_packed_batch = msgspec.msgpack.Decoder(
    Annotated[list[RawBytes], Meta(min_length=1, max_length=wire.SUBMIT_MAX)]
)
_json_batch = msgspec.json.Decoder(_JsonBatch)


class Problem(Exception):
    """A request that can't be served: becomes problem+json (RFC 9457)."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def _bad(code: str, detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, code, detail)


class RpcApp:
    """The endpoints, over one link."""

    def __init__(self, link: NodeLink) -> None:
        self._link = link
        self._followers = 0

    async def status(self, request: Request) -> Response:
        """Tell where the node stands."""
        return self._show(request, await self._link.ask(wire.GetStatus(), NodeStatus))

    async def genesis(self, _request: Request) -> Response:
        """Give the genesis file."""
        raw = await self._link.ask(wire.GetGenesis(), bytes)
        return Response(raw, media_type="application/json")

    async def submit(self, request: Request) -> Response:
        """Take a batch of transactions in; one submission each, in order."""
        raws = _decode_batch(request, await _read_body(request))
        outcomes = await self._link.submit(raws)
        return self._show(request, outcomes, "submissions")

    async def transaction(self, request: Request) -> Response:
        """Show a transaction, waiting for it to be final if asked to."""
        txid = _hash(request.path_params["txid"], "txid")
        wait_ms = _whole(request, "wait_ms", 0, 0, WAIT_MS_MAX)
        return self._show(request, await self._link.transaction(txid, wait_ms / 1_000))

    async def account(self, request: Request) -> Response:
        """Show an account."""
        address = self._address(request)
        return self._show(request, await self._link.ask(wire.GetAccount(address), AccountView))

    async def history(self, request: Request) -> Response:
        """List an account's transactions, newest first."""
        before = _whole(request, "before", 2**53, 0, 2**53)
        limit = _whole(request, "limit", 50, 1, wire.HISTORY_MAX)
        asked = wire.GetHistory(self._address(request), before, limit)
        return self._show(request, await self._link.ask(asked, list[bytes]), "transactions")

    async def history_page(self, request: Request) -> Response:
        """List an account's transactions below `before` (HEIGHT or HEIGHT.INDEX)."""
        height, _, index = request.query_params.get("before", str(2**53)).partition(".")
        asked = wire.GetHistoryPage(
            self._address(request),
            _parse_whole(height, "before", 0, 2**53),
            _parse_whole(index or "0", "before", 0, 2**32 - 1),
            _whole(request, "limit", 50, 1, wire.HISTORY_MAX),
        )
        found = await self._link.ask(asked, list[HistoryView])
        return self._show(request, found, "transactions")

    async def farm_lots(self, request: Request) -> Response:
        """List the lots with a farm's milk below `before` (HEIGHT or HEIGHT.LOT)."""
        height, _, lot = request.query_params.get("before", str(2**53)).partition(".")
        asked = wire.GetFarmLots(
            self._address(request),
            _parse_whole(height, "before", 0, 2**53),
            _hash(lot, "before") if lot else ZERO_HASH,
            _whole(request, "limit", 100, 1, wire.LOTS_MAX),
        )
        return self._show(request, await self._link.ask(asked, list[LotView]), "lots")

    async def trace(self, request: Request) -> Response:
        """Show where the milk of a payment, pack, lot or run came from."""
        subject = _hash(request.path_params["subject"], "subject")
        answer = await self._link.ask(wire.GetTrace(subject), TraceAnswer)
        if answer.trace is None:
            pruned = answer.code == PrunedBlock.code
            status = HTTPStatus.GONE if pruned else HTTPStatus.NOT_FOUND
            raise Problem(status, answer.code, answer.detail)
        return self._show(request, answer.trace)

    async def block_at(self, request: Request) -> Response:
        """Show the last finalized block that is not after a time."""
        time_ms = _parse_whole(request.path_params["time_ms"], "time_ms", 0, 2**53)
        raw = await self._link.ask(wire.GetHeightAt(time_ms), msgspec.Raw)
        height = msgspec.msgpack.decode(raw, type=int | None)
        if height is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown_block", "the chain began after that time")
        return await self._show_block(request, height)

    async def block(self, request: Request) -> Response:
        """Show a finalized block."""
        height = _parse_whole(request.path_params["height"], "height", 0, 2**53)
        return await self._show_block(request, height)

    async def _show_block(self, request: Request, height: int) -> Response:
        encoded = await self._block(height)
        if encoded is None:
            detail = f"no block of height {height} is final yet"
            raise Problem(HTTPStatus.NOT_FOUND, "unknown_block", detail)
        if _wants_msgpack(request):
            return Response(encoded, media_type=MSGPACK)
        return self._show(request, msgspec.msgpack.decode(encoded, type=FinalBlock))

    async def blocks(self, request: Request) -> Response:
        """Stream finalized blocks from a height on: frames of MessagePack, empty ones for life."""
        start = _whole(request, "from", 1, 1, 2**53)
        if self._followers >= FOLLOWERS_MAX:
            raise NodeUnavailable("too many follow this node: try another")
        await self._block(start)  # Not running is an error now, not an empty stream.
        return StreamingResponse(self._follow(start), media_type="application/octet-stream")

    async def _block(self, height: int) -> bytes | None:
        """Give an encoded block, or None above the head; raise `Problem` if it is pruned."""
        encoded = await self._link.block(height)
        if encoded is None:
            status = await self._link.ask(wire.GetStatus(), NodeStatus)
            if 0 < height < status.kept_from:
                fault = PrunedBlock(height=height, kept_from=status.kept_from)
                raise Problem(HTTPStatus.GONE, fault.code, str(fault))
        return encoded

    async def _follow(self, start: int) -> AsyncIterator[bytes]:
        self._followers += 1
        try:
            async with contextlib.aclosing(self._link.blocks(start, QUIET_S)) as blocks:
                async for encoded in blocks:
                    yield encode_frame(encoded) if encoded else HEARTBEAT
        except NodeUnavailable:
            return  # The stream ends; the follower comes back for the next height.
        finally:
            self._followers -= 1

    async def lots(self, request: Request) -> Response:
        """List the newest lots."""
        limit = _whole(request, "limit", 100, 1, wire.LOTS_MAX)
        return self._show(request, await self._link.ask(wire.GetLots(limit), list[LotView]), "lots")

    async def supply(self, request: Request) -> Response:
        """Count the tokens."""
        return self._show(request, await self._link.ask(wire.GetSupply(), SupplyView))

    async def proof(self, request: Request) -> Response:
        """Prove that a transaction is final, to whoever knows the committee of an epoch."""
        txid = _hash(request.path_params["txid"], "txid")
        from_epoch = _whole(request, "from_epoch", 0, 0, 2**53)
        answer = await self._link.ask(wire.GetProof(txid, from_epoch), ProofAnswer)
        if answer.material is None:
            raise Problem(HTTPStatus.NOT_FOUND, answer.lack.value, answer.detail)
        # Hashing the trees of a full block takes long enough that others should not wait for it.
        raw = await asyncio.to_thread(_prove, answer.material)
        return Response(raw, media_type="application/octet-stream")

    async def metrics(self, _request: Request) -> Response:
        """Give the node's metrics to Prometheus."""
        raw = await self._link.ask(wire.GetMetrics(), bytes)
        return Response(raw, media_type="text/plain; version=0.0.4; charset=utf-8")

    def _show(self, request: Request, value: object, name: str = "") -> Response:
        """Present a view as the client wants it; lists stand under a name in JSON."""
        if _wants_msgpack(request):
            return Response(wire.encoder.encode(value), media_type=MSGPACK)
        shown = present(value, self._prefix())
        body = msgspec.json.encode({name: shown} if name else shown)
        return Response(body, media_type="application/json")

    def _prefix(self) -> str:
        if self._link.status is None:
            raise NodeUnavailable("the node just starts: try again")
        return self._link.status.prefix

    def _address(self, request: Request) -> Address:
        """Read the address of the path: bech32m, or hex."""
        text = request.path_params["address"]
        if len(text) == 2 * HASH_BYTES:
            with contextlib.suppress(ValueError):
                return Address(bytes.fromhex(text))
        try:
            return parse_address(text, self._prefix())
        except BadAddress as fault:
            raise _bad("bad_address", str(fault)) from fault


async def _read_body(request: Request) -> bytes:
    """Read a body, giving up as soon as it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            detail = f"a body has at most {BODY_BYTES_MAX} bytes: send smaller batches"
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)
    return bytes(body)


def _prove(material: Material) -> bytes:
    """Encode a proof of the material; raise `Problem` if a client would not read it."""
    raw = encode(make_proof(material))
    if len(raw) > PROOF_BYTES_MAX:
        detail = f"the proof would have {len(raw)} bytes: keep a newer anchor, ask from its epoch"
        raise Problem(HTTPStatus.NOT_FOUND, Lack.NO_PROOF.value, detail)
    return raw


def _decode_batch(request: Request, body: bytes) -> tuple[bytes, ...]:
    """Read raw transactions from MessagePack (an array of bytes) or JSON (an array of hex)."""
    try:
        if request.headers.get("content-type", "").startswith(MSGPACK):
            return tuple(_packed_batch.decode(body))
        return tuple(bytes.fromhex(text) for text in _json_batch.decode(body).transactions)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _bad(
            "bad_batch",
            f'{error}: send {{"transactions": [hex, ...]}} as JSON, or an array of byte strings '
            f"as {MSGPACK}; at most {wire.SUBMIT_MAX} at once",
        ) from error


def _wants_msgpack(request: Request) -> bool:
    return MSGPACK in request.headers.get("accept", "")


def _hash(text: str, name: str) -> Hash:
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != HASH_BYTES or len(text) != 2 * HASH_BYTES:
        raise _bad(f"bad_{name}", f"{text[:80]!r} is not {2 * HASH_BYTES} digits of hex")
    return Hash(raw)


def _whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query_params.get(name)
    return default if text is None else _parse_whole(text, name, low, high)


def _parse_whole(text: str, name: str, low: int, high: int) -> int:
    """Read a whole number in plain digits."""
    value = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else -1
    if not low <= value <= high:
        raise _bad(f"bad_{name}", f"{name} is a whole number from {low} to {high}")
    return value


def _problem(status: int, code: str, detail: str) -> Response:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    headers = {"retry-after": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(msgspec.json.encode(body), status, headers, "application/problem+json")


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _problem(error.status, error.code, error.detail)


async def _on_unavailable(_request: Request, error: Exception) -> Response:
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "node_unavailable", str(error))


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    return _problem(error.status_code, code, error.detail)


def make_app(link: NodeLink) -> Starlette:
    """Join the endpoints to an ASGI application that keeps the link while it runs."""
    rpc = RpcApp(link)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        keeping = asyncio.create_task(link.run())
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping

    return Starlette(
        routes=[
            Route("/v1/transactions", rpc.submit, methods=["POST"]),
            Route("/v1/transactions/{txid}", rpc.transaction),
            Route("/v1/accounts/{address}", rpc.account),
            Route("/v1/accounts/{address}/transactions", rpc.history),
            Route("/v1/accounts/{address}/history", rpc.history_page),
            Route("/v1/accounts/{address}/lots", rpc.farm_lots),
            Route("/v1/trace/{subject}", rpc.trace),
            Route("/v1/blocks", rpc.blocks),
            Route("/v1/blocks/at/{time_ms}", rpc.block_at),
            Route("/v1/blocks/{height}", rpc.block),
            Route("/v1/status", rpc.status),
            Route("/v1/genesis", rpc.genesis),
            Route("/v1/lots", rpc.lots),
            Route("/v1/supply", rpc.supply),
            Route("/v1/proofs/{txid}", rpc.proof),
            Route("/metrics", rpc.metrics),
        ],
        exception_handlers={
            Problem: _on_problem,
            NodeUnavailable: _on_unavailable,
            HTTPException: _on_http,
        },
        lifespan=lifespan,
    )
