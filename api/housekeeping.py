"""What one worker does for all: it follows the chain, ends what time ends, and hands in again.

Each part goes on whatever becomes of the others, until the worker no longer leads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.standing import ChainStanding
from api.chain.tip import SettledTip
from api.db.faults import DATABASE_FAULTS, describe
from api.orders.changes import expire_orders
from api.payments.resubmission import Resubmitter
from node.client.errors import ClientFault

SWEEP_S: Final = 5.0
EXPIRY_GRACE_MS: Final = 10_000
"""An order is called expired this long after its time: its block may be on the way."""

log = structlog.get_logger("housekeeping")

Forget = Callable[[], Awaitable[object]]


class Housekeeper:
    """Sweeps: orders past their time, payments on their way, and what is old."""

    def __init__(
        self,
        engine: AsyncEngine,
        tip: SettledTip,
        standing: ChainStanding,
        resubmitter: Resubmitter,
        now_ms: Callable[[], int],
        forgets: Sequence[Forget],
    ) -> None:
        self._engine = engine
        self._tip = tip
        self._standing = standing
        self._resubmitter = resubmitter
        self._now_ms = now_ms
        self._forgets = forgets

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for part in (self.hand_in_again, self.expire, self.forget):
                try:
                    await part()
                except ClientFault as fault:
                    log.info("put off", part=part.__name__, fault=str(fault))
                except DATABASE_FAULTS as fault:
                    log.warning("put off", part=part.__name__, fault=describe(fault))

    async def hand_in_again(self) -> None:
        """Hand in what is on its way, and end what no block can take any more."""
        await self._resubmitter.run_once(self._tip.cursor.height, self._now_ms())

    async def expire(self) -> None:
        """Expire unpaid orders, if the chain is followed closely."""
        if not self._standing.behind():
            now_ms = self._now_ms()
            await expire_orders(self._engine, now_ms - EXPIRY_GRACE_MS, now_ms)

    async def forget(self) -> None:
        """Forget what is old."""
        for forget in self._forgets:
            await forget()
