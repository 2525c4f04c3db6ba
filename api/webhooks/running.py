"""Webhooks of the service, put together: the desk of every worker, the dispatcher of one."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.leadership import Leadership
from api.config import ApiConfig
from api.db.faults import DATABASE_FAULTS
from api.metrics import Metrics
from api.vault.data_keys import Vault
from api.webhooks.delivery_log import oldest_untried_ms
from api.webhooks.desk import WebhookDesk
from api.webhooks.dispatcher import Dispatcher

SHOW_S: Final = 5.0
WEBHOOKS: Final = "webhooks"
"""The name of the lease: not the follower's, so that a worker with many deliveries to make need
not be the one that follows the chain."""


class Webhooks:
    """What routes and the service's own tasks need of webhooks.

    `now_ms` is the wall's time, which receivers hold a signature's time against; not the chain's.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        vault: Vault,
        now_ms: Callable[[], int],
        worker: str,
        config: ApiConfig,
        metrics: Metrics,
    ) -> None:
        self.now_ms = now_ms
        self.desk = WebhookDesk(vault, now_ms, livemode=config.livemode)
        self._dispatcher = Dispatcher(engine, vault, now_ms, livemode=config.livemode)
        self._leadership = Leadership(engine, WEBHOOKS, worker)
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._metrics = metrics

    async def run(self) -> None:
        """Send events whenever the lease is this worker's, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._leadership.run(self._dispatcher.run))
            group.create_task(self._show_age())

    async def _show_age(self) -> None:
        """Keep the gauge true in every worker: nobody may lead."""
        while True:
            await asyncio.sleep(SHOW_S)
            with contextlib.suppress(*DATABASE_FAULTS):
                await self.measure()

    async def measure(self) -> None:
        """Show for how long the oldest event waits for its first try."""
        async with self._reader.connect() as connection:
            waits_ms = await oldest_untried_ms(connection, self.now_ms())
        self._metrics.webhook_age.set(waits_ms / 1_000)
