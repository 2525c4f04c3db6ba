"""What looks after the service while a worker leads: minutes written, troubles told."""

import asyncio
from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from api.alerts.desk import AlertDesk
from api.config import ApiConfig
from api.people.desks import Desks
from api.readiness import SelfReport
from api.status.watching import StatusWatch


class Lookout:
    """One of each. `now_ms` is the service's time; minutes go by the wall's."""

    def __init__(
        self,
        engine: AsyncEngine,
        report: SelfReport,
        config: ApiConfig,
        desks: Desks,
        now_ms: Callable[[], int],
    ) -> None:
        self.status = StatusWatch(engine, report, desks.means.now_ms)
        told, litre_sen = bool(config.slack_url), config.litre_price_sen
        self.alerts = AlertDesk(engine, now_ms, litre_sen, config.public_url, told=told)

    async def lead(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.alerts.run())
            group.create_task(self.status.run())
