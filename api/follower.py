"""The follower: every final block, in order, settled once.

One transaction settles a run of blocks and moves the cursor, so a crash at any point repeats
blocks or none, and skips nothing. A block whose parent is not the cursor's block, or a node of
another chain, stops the service: settling on would pay orders by a history that is not ours.

A lost node or database is waited for. Until the follower is level again, `lag_blocks` says how far
it is behind, and nobody is told that a payment is missing.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe
from api.errors import FollowerFault
from api.node_port import NodePort
from api.node_watch import NodeWatch
from api.services.settlement import Observed, Settled, settle
from api.services.stock import LOTS_MAX, mirror
from ledger.types.transaction import Transaction, basket_of, decode_transaction
from ledger.types.transfer import REFERENCE_BYTES, Transfer
from ledger.types.window import MintWindow, RollWindow
from node.client.errors import ClientFault
from node.client.views import FinalBlock, LotView

BLOCKS_AHEAD_MAX: Final = 64
"""Blocks that are read before they are settled; also the most that one transaction settles."""
LOTS_EVERY_S: Final = 10.0
RETRY_S: Final = 0.5
STALL_S: Final = 3.0
"""How long no block may come while a node has more than are settled: then it is asked for anew."""
NO_REFERENCE: Final = bytes(REFERENCE_BYTES)

log = structlog.get_logger("follower")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that is settled here; height 0 and no hash before the first."""

    chain_id: bytes
    height: int
    hash: bytes


@dataclass(slots=True)
class BlockPayments:
    """What blocks hold that concerns payments."""

    observed: list[Observed] = field(default_factory=list)
    redeemed_units: dict[bytes, int] = field(default_factory=dict)
    minted: bool = False


def observe(
    transaction: Transaction, code: str, height: int, block_hash: bytes, time_ms: int
) -> Observed | None:
    """Read a final transaction as a payment; None if it is no transfer with a reference."""
    body = transaction.intent.body
    if not isinstance(body, Transfer) or body.reference == NO_REFERENCE:
        return None
    return Observed(
        tx_hash=transaction.id,
        reference=body.reference,
        to=body.to,
        payer=transaction.sender,
        units=body.units,
        redeem_units=sum(part.units for part in body.redeem),
        height=height,
        block_hash=block_hash,
        time_ms=time_ms,
        code=code,
    )


def read_blocks(blocks: Sequence[FinalBlock]) -> BlockPayments:
    """Gather payments, redemptions and mints of some blocks."""
    found = BlockPayments()
    for block in blocks:
        for raw, receipt in zip(block.transactions, block.receipts, strict=True):
            transaction = decode_transaction(raw)
            body = transaction.intent.body
            if isinstance(body, MintWindow | RollWindow):
                found.minted = found.minted or not receipt.code
            for part in () if receipt.code else basket_of(body):
                found.redeemed_units[part.lot] = found.redeemed_units.get(part.lot, 0) + part.units
            paid = observe(transaction, receipt.code, block.height, block.hash, block.time_ms)
            if paid is not None:
                found.observed.append(paid)
    return found


class Follower:
    """Follows one node. `on_settled` is called after each commit."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: NodePort,
        watch: NodeWatch,
        on_settled: Callable[[Settled], None],
    ) -> None:
        self._engine = engine
        self._node = node
        self._watch = watch
        self._on_settled = on_settled
        self._lots_due = asyncio.Event()
        self.cursor = Cursor(b"", 0, b"")
        self.lots: list[LotView] = []

    @property
    def lag_blocks(self) -> int:
        """Give how many final blocks the node has that are not settled here."""
        return self._watch.lag_blocks(self.cursor.height)

    async def run(self) -> None:
        """Follow until cancelled; raise `FollowerFault` if the chain is not ours."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._mirror_lots())
            group.create_task(self._follow_for_ever())

    async def _follow_for_ever(self) -> None:
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
            self.cursor = await read_cursor(connection, status.chain_id)
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
                if self.lag_blocks:
                    raise OSError(f"no block has come for {STALL_S:.0f} s, and there are more")
            return taking.result()
        finally:
            taking.cancel()

    async def settle_blocks(self, blocks: Sequence[FinalBlock]) -> None:
        """Settle the next blocks in one transaction; raise `FollowerFault` if they aren't next."""
        cursor = self.cursor
        for block in blocks:
            if block.height != cursor.height + 1:
                raise FollowerFault(f"block {block.height} came after block {cursor.height}")
            if cursor.hash and block.parent_hash != cursor.hash:
                raise FollowerFault(
                    f"block {block.height} stands on {block.parent_hash.hex()}, but block "
                    f"{cursor.height} here is {cursor.hash.hex()}: the node's chain is another"
                )
            cursor = Cursor(cursor.chain_id, block.height, block.hash)
        found = read_blocks(blocks)
        async with self._engine.begin() as connection:
            await _move(connection, self.cursor, cursor, blocks[-1].time_ms)
            settled = await settle(
                connection, found.observed, self._watch.now_ms(), found.redeemed_units
            )
        self.cursor = cursor
        if found.minted:
            self._lots_due.set()
        self._on_settled(settled)

    async def _mirror_lots(self) -> None:
        """Take over the ledger's lots at the start, after a mint, and now and then."""
        while True:
            self._lots_due.clear()
            try:
                await self.mirror_lots()
                pause_s = LOTS_EVERY_S
            except (ClientFault, *DATABASE_FAULTS) as fault:
                log.warning("lots not read", fault=describe(fault))
                pause_s = RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._lots_due.wait()

    async def mirror_lots(self) -> None:
        """Take over the ledger's lots now."""
        lots = await self._node.lots(LOTS_MAX)
        async with self._engine.begin() as connection:
            await mirror(connection, lots, self._watch.now_ms())
        self.lots = lots


async def read_cursor(connection: AsyncConnection, chain_id: bytes) -> Cursor:
    """Read how far this database has come; begin before the first block of the chain if never."""
    await connection.execute(
        text("""
            INSERT INTO follower_cursor (id, chain_id, height, hash, time_ms)
            VALUES (1, :chain_id, 0, ''::bytea, 0) ON CONFLICT (id) DO NOTHING
        """),
        {"chain_id": chain_id},
    )
    row = (
        await connection.execute(text("SELECT chain_id, height, hash FROM follower_cursor"))
    ).one()
    return Cursor(row.chain_id, row.height, row.hash)


async def _move(connection: AsyncConnection, old: Cursor, new: Cursor, time_ms: int) -> None:
    """Move the cursor if it is where we think; another follower of this database makes it fail."""
    moved = await connection.execute(
        text("""
            UPDATE follower_cursor SET height = :height, hash = :hash, time_ms = :time_ms
            WHERE id = 1 AND height = :old_height AND chain_id = :chain_id
        """),
        {
            "height": new.height,
            "hash": new.hash,
            "time_ms": time_ms,
            "old_height": old.height,
            "chain_id": old.chain_id,
        },
    )
    if moved.rowcount != 1:
        raise OSError("another worker has settled these blocks")
