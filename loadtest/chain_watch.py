"""Who waits for transactions to become final: one stream of blocks a node, many waiters.

A block becomes final for a client the moment its node pushes it. Reading the stream costs the
generator one decode a block, not one request a transaction.
"""

import asyncio
import time
from typing import Final

import msgspec

from ledger.types.block import Receipt
from loadtest.http_client import Client

LENGTH_BYTES: Final = 4


class BlockReceipts(msgspec.Struct):
    """What a waiter needs of a block; the rest is skipped unread."""

    height: int
    time_ms: int
    receipts: tuple[Receipt, ...]


_blocks = msgspec.msgpack.Decoder(BlockReceipts)


class ChainWatch:
    """Follows one node's final blocks."""

    def __init__(self, node_url: str) -> None:
        self._url = node_url
        self._waiting: dict[bytes, asyncio.Future[float]] = {}
        self._begun = asyncio.Event()
        self.final = 0
        self.failed = 0
        self.blocks: list[tuple[int, int]] = []
        """Each block's height and how many transactions it held."""

    def expect(self, txid: bytes) -> "asyncio.Future[float]":
        """Give the future of the moment (monotonic) at which a transaction is seen final."""
        future = self._waiting[txid] = asyncio.get_running_loop().create_future()
        return future

    def forget(self, txid: bytes) -> None:
        """Wait no longer."""
        self._waiting.pop(txid, None)

    async def begin(self) -> None:
        """Wait until the first block was read."""
        await self._begun.wait()

    async def run(self) -> None:
        """Follow until cancelled or the stream ends."""
        probe = Client(self._url, {"Accept": "application/msgpack"})
        _, body = await probe.ask("GET", "/v1/status")
        probe.close()
        height = msgspec.msgpack.decode(body)["height"]
        client = Client(self._url, {"Accept": "application/msgpack"})
        buffer = bytearray()
        try:
            async for part in client.follow(f"/v1/blocks?from={height}"):
                buffer += part
                self._take(buffer)
        finally:
            client.close()

    def _take(self, buffer: bytearray) -> None:
        """Read every whole frame: a length of four bytes, big-endian, and a block."""
        start = 0
        while len(buffer) - start >= LENGTH_BYTES:
            stop = start + LENGTH_BYTES + int.from_bytes(buffer[start : start + LENGTH_BYTES])
            if stop > len(buffer):
                break
            if stop - start > LENGTH_BYTES:
                self._seen(_blocks.decode(bytes(buffer[start + LENGTH_BYTES : stop])))
            start = stop
        del buffer[:start]

    def _seen(self, block: BlockReceipts) -> None:
        now_s = time.monotonic()
        self._begun.set()
        self.blocks.append((block.height, len(block.receipts)))
        self.final += len(block.receipts)
        for receipt in block.receipts:
            self.failed += bool(receipt.code)
            waiter = self._waiting.pop(receipt.txid, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(now_s)
