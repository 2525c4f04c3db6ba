"""The follower: every final block, in order, settled once.

One transaction settles a run of blocks and moves the cursor, so a crash at any point repeats
blocks or none, and skips nothing. A block whose parent is not the cursor's block, or a node of
another chain, stops the service: settling on would pay orders by a history that is not ours. One
worker follows for all; were there two for a moment, the cursor moves for one of them alone.

A lost node or database is waited for. Until the follower is level again, `lag_blocks` says how far
it is behind, and nobody is told that a payment is missing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.chain.node_port import NodePort
from api.chain.node_watch import NodeWatch
from api.chain.tip import Cursor, SettledTip, read_cursor
from api.db.faults import DATABASE_FAULTS, describe
from api.db.session import in_transaction
from api.db.statements import text
from api.errors import FollowerFault
from api.payments.observation import read_blocks
from api.payments.settlement import Settled, SettlingParties, settle
from node.client.errors import ClientFault
from node.client.views import FinalBlock

BLOCKS_AHEAD_MAX: Final = 64
"""Blocks that are read before they are settled; also the most that one transaction settles."""
RETRY_S: Final = 0.5
STALL_S: Final = 3.0
"""How long no block may come while a node has more than are settled: then it is asked for anew."""
SETTLED_CHANNEL: Final = "billcoin_settled"
"""Where other workers hear that there is something new. A hint: they look by themselves, too."""

log = structlog.get_logger("follower")


class Follower:
    """Follows one node. `on_settled` is called after each commit, `on_stock` when stock changed."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: NodePort,
        watch: NodeWatch,
        tip: SettledTip,
        parties: SettlingParties,
        on_settled: Callable[[Settled], None],
        on_stock: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._node = node
        self._watch = watch
        self._tip = tip
        self._parties = parties
        self._on_settled = on_settled
        self._on_stock = on_stock
        self.cursor = Cursor(b"", 0, b"")

    async def run(self) -> None:
        """Follow until cancelled; raise `FollowerFault` if the chain is not ours."""
        while True:
            try:
                await self._follow()
            except ClientFault as fault:
                log.warning("interrupted", fault=str(fault))
            except DATABASE_FAULTS as fault:
                log.warning("interrupted", fault=describe(fault))
            await asyncio.sleep(RETRY_S)

    async def _follow(self) -> None:
        """Follow until something breaks off."""
        status = await self._node.status()
        async with self._engine.begin() as connection:
            self.cursor = await begin_cursor(connection, status.chain_id)
        self._tip.advance(self.cursor)
        if self.cursor.chain_id != status.chain_id:
            raise FollowerFault(
                f"this database has followed chain {self.cursor.chain_id.hex()}, the node is of "
                f"{status.chain_id.hex()}: give the service a database of its own"
            )
        ahead: asyncio.Queue[FinalBlock] = asyncio.Queue(BLOCKS_AHEAD_MAX)
        reader = asyncio.create_task(self._read(ahead, self.cursor.height + 1))
        try:
            while True:
                blocks = [await self._next(ahead, reader)]
                while not ahead.empty():
                    blocks.append(ahead.get_nowait())
                await self.settle_blocks(blocks)
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError, ClientFault, OSError):
                await reader

    async def _read(self, ahead: asyncio.Queue[FinalBlock], start: int) -> None:
        async for block in self._node.blocks(start):
            await ahead.put(block)

    async def _next(
        self, ahead: asyncio.Queue[FinalBlock], reader: "asyncio.Task[None]"
    ) -> FinalBlock:
        """Take the next block; if the reader has ended, end as it did.

        A node that hangs may keep its stream open, and even show life on it, for ever: what
        another node has by then says that this stream is to be left.
        """
        taking = asyncio.create_task(ahead.get())
        try:
            while not taking.done():
                await asyncio.wait(
                    (taking, reader), timeout=STALL_S, return_when=asyncio.FIRST_COMPLETED
                )
                if taking.done():
                    break
                if reader.done():
                    reader.result()
                    raise OSError("the stream of blocks ended")
                if self._watch.lag_blocks(self.cursor.height):
                    raise OSError(f"no block has come for {STALL_S:.0f} s, and there are more")
            return taking.result()
        finally:
            taking.cancel()

    async def settle_blocks(self, blocks: Sequence[FinalBlock]) -> None:
        """Settle the next blocks in one transaction; raise `FollowerFault` if they aren't next."""
        before, cursor = self.cursor, self.cursor
        for block in blocks:
            if block.height != cursor.height + 1:
                raise FollowerFault(f"block {block.height} came after block {cursor.height}")
            if cursor.hash and block.parent_hash != cursor.hash:
                raise FollowerFault(
                    f"block {block.height} stands on {block.parent_hash.hex()}, but block "
                    f"{cursor.height} here is {cursor.hash.hex()}: the node's chain is another"
                )
            cursor = Cursor(cursor.chain_id, block.height, block.hash)
        batch = read_blocks(blocks)

        async def work(connection: AsyncConnection) -> Settled:
            await _move(connection, before, cursor, blocks[-1].time_ms)
            now_ms = self._watch.now_ms()
            return await settle(connection, batch, now_ms, self._parties)

        settled = await in_transaction(self._engine, work)
        self.cursor = cursor
        self._tip.advance(cursor)
        if batch.stocked:
            self._on_stock()
        self._on_settled(settled)


async def begin_cursor(connection: AsyncConnection, chain_id: bytes) -> Cursor:
    """Read how far this database has come; begin before the first block of the chain if never."""
    await connection.execute(
        text("""
            INSERT INTO follower_cursor (id, chain_id, height, hash, time_ms)
            VALUES (1, :chain_id, 0, ''::bytea, 0) ON CONFLICT (id) DO NOTHING
        """),
        {"chain_id": chain_id},
    )
    return await read_cursor(connection)


async def _move(connection: AsyncConnection, old: Cursor, new: Cursor, time_ms: int) -> None:
    """Move the cursor if it is where we think; another follower of this database makes it fail.

    With the commit, the other workers are told to look.
    """
    moved = await connection.execute(
        text(f"""
            WITH moved AS (
                UPDATE follower_cursor SET height = :height, hash = :hash, time_ms = :time_ms
                WHERE id = 1 AND height = :old_height AND chain_id = :chain_id RETURNING height
            )
            SELECT pg_notify('{SETTLED_CHANNEL}', height::text) FROM moved
        """),  # noqa: S608 - a constant of this module
        {
            "height": new.height,
            "hash": new.hash,
            "time_ms": time_ms,
            "old_height": old.height,
            "chain_id": old.chain_id,
        },
    )
    if moved.first() is None:
        raise OSError("another worker has settled these blocks")
