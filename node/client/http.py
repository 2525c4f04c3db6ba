"""The way to a node for everyone above it: payments, minting, commands.

A `NodeClient` speaks HTTP and MessagePack to a node's RPC process. Ids and keys are bytes, amounts
whole units. Whatever goes wrong is one of two faults: `NodeUnavailable` (try again, perhaps
elsewhere) or `Rejected` (do not). Tests give it another `httpx.AsyncBaseTransport`.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Final, TypeVar

import httpx
import msgspec

from ledger.primitives.keys import Address
from ledger.types.trace import Trace
from node.client.errors import NodeUnavailable, Rejected, WireFault
from node.client.failover import PATIENCE, PATIENCE_S, REPEATABLE, FailoverTransport
from node.client.framing import FrameDecoder
from node.client.views import (
    AccountView,
    FinalBlock,
    HistoryView,
    LotView,
    NodeStatus,
    Submission,
    SupplyView,
    TransactionView,
)

TIMEOUT_S: Final = 15.0
"""Also how long a stream of blocks may be silent: the node shows life every 5 s."""
BLOCK_BYTES_MAX: Final = 16 * 1024 * 1024
AT_ONCE_MAX: Final = 32
"""Requests under way; more wait here, since a queue in the HTTP pool costs its square in CPU."""
SUBMISSIONS_A_SECOND: Final = 1_000
"""What the slowest node of use verifies: a large batch is given time in proportion."""
LONG_PATIENCE_S: Final = 10.0
"""For answers that a node gathers from many blocks."""
RETRY_FIRST_S: Final = 0.1
RETRY_MAX_S: Final = 2.0
_MSGPACK: Final = "application/msgpack"

T = TypeVar("T")


class _Told(msgspec.Struct):
    """The parts of a problem+json answer that are passed on."""

    code: str = "http_error"
    detail: str = ""


class NodeClient:
    """A connection pool to a node, or to the first of several that answers.

    Use as an async context, or `aclose` it.
    """

    def __init__(self, *base_urls: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.base_url = base_urls[0].rstrip("/")
        self._named = self.base_url if len(base_urls) == 1 else f"{len(base_urls)} nodes"
        if transport is None and len(base_urls) > 1:
            transport = FailoverTransport(base_urls)
        self._free = asyncio.Semaphore(AT_ONCE_MAX)
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            transport=transport,
            timeout=httpx.Timeout(TIMEOUT_S, connect=3.0),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=AT_ONCE_MAX),
            headers={"accept": _MSGPACK},
            trust_env=False,
        )

    async def __aenter__(self) -> "NodeClient":
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

    async def status(self) -> NodeStatus:
        """Ask where the node stands."""
        return await self._get("/v1/status", NodeStatus)

    async def genesis(self) -> bytes:
        """Fetch the genesis file."""
        return (await self._request("GET", "/v1/genesis")).content

    async def submit(self, raws: Sequence[bytes]) -> list[Submission]:
        """Hand in transactions (at most 5,000); one answer each, in order.

        A refusal of a transaction is an answer with a `code`, not a fault.
        """
        if not raws:
            return []
        body = msgspec.msgpack.encode(list(raws))
        headers = {"content-type": _MSGPACK}
        response = await self._request(
            "POST",
            "/v1/transactions",
            content=body,
            headers=headers,
            patience_s=PATIENCE_S + len(raws) / SUBMISSIONS_A_SECOND,
            repeatable=True,  # A transaction's id is its own key: a node takes it once.
        )
        return _decode(response.content, list[Submission])

    async def account(self, address: Address) -> AccountView:
        """Look an account up; one that was never used is empty."""
        return await self._get(f"/v1/accounts/{address.hex()}", AccountView)

    async def history(
        self, address: Address, *, before: int | None = None, limit: int = 50
    ) -> list[bytes]:
        """List the ids of an account's transactions below a height, newest first."""
        asked = f"limit={limit}" + ("" if before is None else f"&before={before}")
        return await self._get(f"/v1/accounts/{address.hex()}/transactions?{asked}", list[bytes])

    async def transaction(self, txid: bytes, wait_ms: int = 0) -> TransactionView:
        """Look a transaction up; wait up to `wait_ms` (at most 10,000) for it to be final."""
        path = f"/v1/transactions/{txid.hex()}?wait_ms={wait_ms}"
        return await self._get(path, TransactionView, PATIENCE_S + wait_ms / 1_000)

    async def block(self, height: int) -> FinalBlock:
        """Fetch a finalized block; `Rejected` with `unknown_block` above the head."""
        return await self._get(f"/v1/blocks/{height}", FinalBlock)

    async def block_at(self, time_ms: int) -> FinalBlock:
        """Fetch the last finalized block that is not after a time."""
        return await self._get(f"/v1/blocks/at/{time_ms}", FinalBlock)

    async def history_page(
        self, address: Address, before: tuple[int, int] | None = None, limit: int = 50
    ) -> list[HistoryView]:
        """List an account's transactions below a (height, index), newest first."""
        asked = f"limit={limit}" + ("" if before is None else f"&before={before[0]}.{before[1]}")
        path = f"/v1/accounts/{address.hex()}/history?{asked}"
        return await self._get(path, list[HistoryView])

    async def farm_lots(
        self, farm: Address, before: tuple[int, bytes] | None = None, limit: int = 100
    ) -> list[LotView]:
        """List the lots with a farm's milk below a (height, lot), newest first."""
        cursor = "" if before is None else f"&before={before[0]}.{before[1].hex()}"
        path = f"/v1/accounts/{farm.hex()}/lots?limit={limit}{cursor}"
        return await self._get(path, list[LotView])

    async def trace(self, subject: bytes) -> Trace:
        """Walk from a payment, pack, lot or run back to the farms, block by block.

        `Rejected` with `unknown_subject`, `no_milk_behind`, or `pruned_block` on a pruned node.
        """
        return await self._get(f"/v1/trace/{subject.hex()}", Trace, LONG_PATIENCE_S)

    async def lots(self, limit: int = 100) -> list[LotView]:
        """List the newest lots."""
        return await self._get(f"/v1/lots?limit={limit}", list[LotView])

    async def supply(self) -> SupplyView:
        """Count the tokens."""
        return await self._get("/v1/supply", SupplyView)

    async def proof(self, txid: bytes, from_epoch: int = 0) -> bytes:
        """Fetch a proof that a transaction is final, for whoever knows that epoch's committee.

        `Rejected` with `not_final`, or with `no_proof` if this node can't make it.
        """
        path = f"/v1/proofs/{txid.hex()}?from_epoch={from_epoch}"
        return (await self._request("GET", path, patience_s=LONG_PATIENCE_S)).content

    async def blocks(self, start_height: int) -> AsyncGenerator[FinalBlock, None]:
        """Give every finalized block from a height on, for ever, each once and in order.

        A lost node is waited for: the stream goes on at the next height when it is back.
        """
        height, delay_s = start_height, RETRY_FIRST_S
        while True:
            with contextlib.suppress(NodeUnavailable):
                async with contextlib.aclosing(self._stream(height)) as blocks:
                    async for block in blocks:
                        if block.height != height:
                            break  # Never skip: ask for the right one again.
                        height, delay_s = height + 1, RETRY_FIRST_S
                        yield block
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, RETRY_MAX_S)

    async def _stream(self, height: int) -> AsyncGenerator[FinalBlock, None]:
        """Read one stream of blocks to its end."""
        decoder = FrameDecoder(BLOCK_BYTES_MAX)
        try:
            async with self._http.stream("GET", f"/v1/blocks?from={height}") as response:
                if response.is_error:
                    await response.aread()
                    _raise_for(response)
                async for chunk in response.aiter_bytes():
                    for frame in decoder.feed(chunk):
                        if frame:
                            yield _decode(frame, FinalBlock)
        except (httpx.HTTPError, WireFault) as error:
            raise NodeUnavailable(f"the stream of {self._named} ended: {error!r}") from error

    async def _get(self, path: str, kind: type[T], patience_s: float = PATIENCE_S) -> T:
        return _decode((await self._request("GET", path, patience_s=patience_s)).content, kind)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
        patience_s: float = PATIENCE_S,
        repeatable: bool = False,
    ) -> httpx.Response:
        """Ask once; raise a `ClientFault` for anything but success."""
        extensions = {PATIENCE: patience_s, REPEATABLE: repeatable or method == "GET"}
        try:
            async with self._free:
                response = await self._http.request(
                    method, path, content=content, headers=headers, extensions=extensions
                )
        except httpx.HTTPError as error:
            raise NodeUnavailable(f"no answer from {self._named}: {error!r}") from error
        _raise_for(response)
        return response


def _raise_for(response: httpx.Response) -> None:
    """Turn an answer of failure into a fault."""
    if response.is_success:
        return
    try:
        told = msgspec.json.decode(response.content, type=_Told)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = _Told(detail=response.reason_phrase)
    if response.status_code >= 500:
        raise NodeUnavailable(f"{told.code}: {told.detail}")
    raise Rejected(told.code, told.detail, response.status_code)


def _decode(raw: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NodeUnavailable(f"the answer is not one of a BillCoin node: {error}") from error
