"""Takes over the ledger's lots: each worker to show them, the one that leads to sell from them."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.catalogue.stock import LOTS_MAX, mirror
from api.chain.node_port import NodePort
from api.db.faults import DATABASE_FAULTS, describe
from api.db.session import in_transaction
from node.client.errors import ClientFault
from node.client.views import LotView

LOTS_EVERY_S: Final = 10.0
RETRY_S: Final = 0.5

log = structlog.get_logger("stock")


class StockMirror:
    """The ledger's lots, as last read. `leads` tells whether this worker writes them down."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: NodePort,
        now_ms: Callable[[], int],
        leads: Callable[[], bool],
    ) -> None:
        self._engine = engine
        self._node = node
        self._now_ms = now_ms
        self._leads = leads
        self._due = asyncio.Event()
        self.lots: list[LotView] = []

    def poke(self) -> None:
        """Say that what can be sold has changed."""
        self._due.set()

    async def run(self) -> None:
        """Read the lots now, when poked, and now and then, until cancelled."""
        while True:
            self._due.clear()
            try:
                if self._leads():
                    await self.take_over()
                else:
                    self.lots = await self._node.lots(LOTS_MAX)
                pause_s = LOTS_EVERY_S
            except (ClientFault, *DATABASE_FAULTS) as fault:
                log.warning("lots not read", fault=describe(fault))
                pause_s = RETRY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._due.wait()

    async def take_over(self) -> None:
        """Read the lots with their packs, and sell from them."""
        lots = await self._node.lots(LOTS_MAX)
        packed = [lot.id for lot in lots if lot.packed_unsold_units]
        products = {lot_id: await self._node.lot_products(lot_id) for lot_id in packed}

        async def work(connection: AsyncConnection) -> None:
            await mirror(connection, lots, products, self._now_ms())

        await in_transaction(self._engine, work)
        self.lots = lots
