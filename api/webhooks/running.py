"""Webhooks of the service, put together: the desk of every worker, the dispatcher of one."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.leadership import Leadership
from api.config import ApiConfig
from api.vault.data_keys import Vault
from api.webhooks.desk import WebhookDesk
from api.webhooks.dispatcher import Dispatcher

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
    ) -> None:
        self.now_ms = now_ms
        self.desk = WebhookDesk(vault, now_ms, livemode=config.livemode)
        self._dispatcher = Dispatcher(engine, vault, now_ms, livemode=config.livemode)
        self._leadership = Leadership(engine, WEBHOOKS, worker)

    async def run(self) -> None:
        """Send events whenever the lease is this worker's, until cancelled."""
        await self._leadership.run(self._dispatcher.run)
