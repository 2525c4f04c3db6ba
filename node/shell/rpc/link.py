"""The RPC process' link to its node: requests by id on one connection, blocks on another.

Both connections are made again whenever they end; until then every request raises
`NodeUnavailable` at once. What can't be read fails one request, or one connection, never the link.
Recent blocks and the transactions in them stay here, so that a thousand
followers and waiters cost the node one connection.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import structlog

from ledger.primitives.hashing import Hash
from node.client.errors import NodeUnavailable, Unanswered, WireFault
from node.client.framing import READ_BYTES, FrameDecoder
from node.client.queries import STATUS, SUBMIT, TRANSACTION
from node.client.requests import (
    GetBlock,
    GetStatus,
    GetTransaction,
    Request,
    SubmitTransactions,
    Subscribe,
)
from node.client.views import FinalBlock, NodeStatus, Submission, TransactionState, TransactionView
from node.shell.rpc import wire
from node.shell.rpc.desk import SubmissionDesk

BLOCKS_KEPT: Final = 256
TRANSACTIONS_KEPT: Final = 50_000
WAITERS_MAX: Final = 20_000
REQUESTS_MAX: Final = 1_024
"""Requests under way; past it callers are told that the node is overloaded."""
REQUEST_TIMEOUT_S: Final = 10.0
RECONNECT_S: Final = 0.2
_REPLAY_BLOCKS: Final = 16

T = TypeVar("T")
StreamPair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_block_decoder = msgspec.msgpack.Decoder(FinalBlock)
_log = structlog.get_logger("billcoin.rpc")
_LOST: Final = "the node is not running or just starts: try again"


class NodeLink:
    """Asks the node, and knows its newest blocks."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._writer: asyncio.StreamWriter | None = None
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._next_id = 0
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._final: OrderedDict[Hash, TransactionView] = OrderedDict()
        self._waiters: dict[Hash, list[asyncio.Future[TransactionView | None]]] = {}
        self._waiting = 0
        self._news = asyncio.Event()
        self._linked = asyncio.Event()
        self._closed = False
        self._desk = SubmissionDesk(lambda raws: self.ask(SubmitTransactions(raws), SUBMIT.answer))
        self._head: int | None = None
        """The highest final block, while the feed stands: above it the node need not be asked."""
        self.status: NodeStatus | None = None
        """The status when the link was made: prefix and chain id stay as they are."""

    async def run(self) -> None:
        """Keep both connections until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(self._run_requests))
            tasks.create_task(self._keep(self._run_feed))
            tasks.create_task(self._desk.run())

    def close(self) -> None:
        """Let nobody wait any longer, for the process ends: streams end, waits give what is known.

        What was asked and is not answered is `Unanswered`, as when the node ends.
        """
        self._closed = True
        self._news.set()
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        self._fail_asked()

    async def ask(self, request: Request, kind: type[T]) -> T:
        """Ask the node; raise `NodeUnavailable` if it can't answer now.

        Past the moment at which the request has left, that is `Unanswered`.
        """
        if self._writer is None or self._closed:
            raise NodeUnavailable(_LOST)
        if len(self._asked) >= REQUESTS_MAX:
            raise NodeUnavailable("the node is overloaded: try again in a second")
        self._next_id += 1
        ask_id = self._next_id
        answer = self._asked[ask_id] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(wire.ask_frame(ask_id, request))
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return msgspec.msgpack.decode(await answer, type=kind)
        except TimeoutError:
            raise Unanswered("the node did not answer in time: try again") from None
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unanswered(f"the node's answer can't be read: {error}") from error
        finally:
            self._asked.pop(ask_id, None)

    async def submit(self, raws: tuple[bytes, ...]) -> list[Submission]:
        """Hand transactions in, together with what others hand in; raise `NodeUnavailable`."""
        return await self._desk.submit(raws)

    async def block(self, height: int) -> bytes | None:
        """Give an encoded `FinalBlock`, from here or from the node; None above the head."""
        if (kept := self._blocks.get(height)) is not None:
            return kept
        if self._head is not None and height > self._head:
            return None
        raw = await self.ask(GetBlock(height), msgspec.Raw)
        return None if bytes(raw) == b"\xc0" else bytes(raw)

    async def blocks(self, start: int, quiet_s: float) -> AsyncGenerator[bytes, None]:
        """Give every encoded block from a height on; empty bytes after each quiet spell."""
        height = start
        while not self._closed:
            news = self._news  # Taken before looking: a block that comes meanwhile sets it.
            encoded = await self.block(height)
            if encoded is not None:
                height += 1
                yield encoded
                continue
            if self._head is not None and height <= self._head:
                return  # It is pruned: the asker is told so when it comes back.
            try:
                async with asyncio.timeout(quiet_s):
                    await news.wait()
            except TimeoutError:
                yield b""

    async def transaction(self, txid: Hash, wait_s: float) -> TransactionView:
        """Look a transaction up; wait for it to become final, at most `wait_s`."""
        if (known := self._final.get(txid)) is not None:
            return known
        if wait_s <= 0:
            return await self.ask(GetTransaction(txid), TRANSACTION.answer)
        with self._waiter(txid) as final:  # Before the question: it may become final meanwhile.
            view = await self.ask(GetTransaction(txid), TRANSACTION.answer)
            if view.state is TransactionState.FINAL:
                return view
            try:
                async with asyncio.timeout(wait_s):
                    return await final or view
            except TimeoutError:
                return view

    @contextlib.contextmanager
    def _waiter(self, txid: Hash) -> Iterator[asyncio.Future[TransactionView | None]]:
        """Hold a place among those who wait for a transaction; None tells that no news comes."""
        if self._waiting >= WAITERS_MAX:
            raise NodeUnavailable("too many wait for transactions here: try again in a second")
        future: asyncio.Future[TransactionView | None] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(txid, [])
        waiters.append(future)
        self._waiting += 1
        try:
            yield future
        finally:
            self._waiting -= 1
            waiters.remove(future)
            if not waiters and self._waiters.get(txid) is waiters:
                del self._waiters[txid]

    async def _keep(self, connection: Callable[[StreamPair], Awaitable[None]]) -> None:
        """Connect and use the connection, again and again."""
        while True:
            try:
                pair = await asyncio.open_unix_connection(self._path)
                try:
                    await connection(pair)
                finally:
                    pair[1].close()
            except (OSError, EOFError, NodeUnavailable) as error:
                _log.debug("node link lost", fault=repr(error)[:200])
            except WireFault as error:
                _log.warning("node link cut", fault=str(error)[:200])
            except Exception:  # A bug met in one frame must not silence the RPC for good.
                _log.exception("node link failed")
            await asyncio.sleep(RECONNECT_S)

    async def _run_requests(self, pair: StreamPair) -> None:
        """Read answers until the connection ends; then fail whatever is still asked."""
        reader, self._writer = pair
        self._linked.set()
        try:
            async for frame in _frames(reader, wire.ANSWER_BYTES_MAX):
                self._settle(frame)
        finally:
            self._writer = None
            self._linked.clear()
            self._fail_asked()

    def _fail_asked(self) -> None:
        for future in self._asked.values():
            if not future.done():
                future.set_exception(Unanswered(_LOST))

    def _settle(self, frame: bytes) -> None:
        """Give an answer to whoever asked. One that can't be read is missed by its asker alone."""
        try:
            answer = wire.answer_decoder.decode(frame)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            _log.warning("an answer of the node can't be read", fault=str(error)[:200])
            return
        future = self._asked.get(answer.id)
        if future is None or future.done():
            return
        if not answer.fault:
            future.set_result(answer.value)
        elif answer.fault == wire.MALFORMED:
            future.set_exception(NodeUnavailable(f"the node failed: {answer.fault}"))
        else:
            future.set_exception(Unanswered(f"the node failed: {answer.fault}"))

    async def _run_feed(self, pair: StreamPair) -> None:
        """Follow the finalized blocks from a little below the head."""
        reader, writer = pair
        await self._linked.wait()
        self.status = await self.ask(GetStatus(), STATUS.answer)
        start = max(1, self.status.height - _REPLAY_BLOCKS, next(reversed(self._blocks), 0) + 1)
        writer.write(wire.ask_frame(0, Subscribe(start)))
        self._head = self.status.height
        try:
            async for frame in _frames(reader, wire.ANSWER_BYTES_MAX):
                self._take(frame)
        finally:
            self._head = None

    def _take(self, encoded: bytes) -> None:
        """Keep a new block, and wake whoever waits for it or for what is in it."""
        try:
            block = _block_decoder.decode(encoded)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise WireFault(f"a block of the node can't be read: {error}") from error
        self._blocks[block.height] = encoded
        self._head = max(self._head or 0, block.height)
        while len(self._blocks) > BLOCKS_KEPT:
            self._blocks.popitem(last=False)
        pairs = zip(block.transactions, block.receipts, strict=True)
        for index, (raw, receipt) in enumerate(pairs):
            view = TransactionView(
                txid=receipt.txid,
                state=TransactionState.FINAL,
                height=block.height,
                index=index,
                block_hash=block.hash,
                time_ms=block.time_ms,
                code=receipt.code,
                fee_units=receipt.fee_units,
                raw=raw,
            )
            self._final[receipt.txid] = view
            for waiter in self._waiters.pop(receipt.txid, ()):
                if not waiter.done():
                    waiter.set_result(view)
        while len(self._final) > TRANSACTIONS_KEPT:
            self._final.popitem(last=False)
        self._news.set()
        self._news = asyncio.Event()


async def _frames(reader: asyncio.StreamReader, limit: int) -> AsyncIterator[bytes]:
    """Cut a connection into frames, to its end."""
    decoder = FrameDecoder(limit)
    while data := await reader.read(READ_BYTES):
        for frame in decoder.feed(data):
            yield frame
