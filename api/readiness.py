"""Whether the service can do its work now, part by part, each with its reason.

The database is asked on a connection of its own, so that a busy pool is not taken for a dead
server; answers are shared for a second, so that no asker can make it work.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.standing import ChainStanding
from api.chain.tip import SettledTip
from api.db.faults import DATABASE_FAULTS, describe
from api.db.statements import text
from api.events.live import Live
from api.metrics import Metrics

BEGINNING_S: Final = 5.0
SHOW_S: Final = 1.0
"""How old what a worker shows of itself may be, when another is asked for all."""
PROBE_TIMEOUT_S: Final = 2.0
PROBE_KEPT_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """Each part's name with the reason why it isn't ready; empty for one that is."""

    parts: dict[str, str]

    @property
    def reason(self) -> str:
        """Give the first reason with its part's name, or nothing."""
        return next((f"{part}: {why}" for part, why in self.parts.items() if why), "")

    def body(self) -> dict[str, object]:
        """Present it."""
        return {
            "status": "not_ready" if self.reason else "ready",
            "reason": self.reason or None,
            "parts": {
                part: {"ready": not why, "reason": why or None} for part, why in self.parts.items()
            },
        }


class DatabaseProbe:
    """Asks the database whether it works."""

    def __init__(self, engine: AsyncEngine, steady_s: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._steady_s = steady_s
        self._asking = asyncio.Lock()
        self._asked_s: float | None = None
        self._why = ""

    async def why(self) -> str:
        """Say why the database can't be used, or nothing."""
        async with self._asking:
            now_s = self._steady_s()
            if self._asked_s is None or now_s - self._asked_s > PROBE_KEPT_S:
                self._why = await self._ask()
                self._asked_s = self._steady_s()
        return self._why

    async def _ask(self) -> str:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._engine.connect() as connection:
                standby = await connection.scalar(text("SELECT pg_is_in_recovery()"))
        except TimeoutError:
            return f"it did not answer within {PROBE_TIMEOUT_S:.0f} s"
        except DATABASE_FAULTS as fault:
            return describe(fault)
        return "it is a read-only standby" if standby else ""


class SelfReport:
    """What this worker says of itself: which parts work, and its gauges."""

    def __init__(
        self,
        probe: DatabaseProbe,
        standing: ChainStanding,
        tip: SettledTip,
        live: Live,
        metrics: Metrics,
    ) -> None:
        self._probe = probe
        self._standing = standing
        self._tip = tip
        self._live = live
        self._metrics = metrics

    async def run(self) -> None:
        """Keep the gauges true, whichever worker is asked for those of all, until cancelled.

        Not at once: what has just begun is level with nothing, and no reason for an alarm.
        """
        await asyncio.sleep(BEGINNING_S)
        while True:
            await self.show()
            await asyncio.sleep(SHOW_S)

    async def show(self) -> None:
        """Set the gauges."""
        self._metrics.height.set(self._tip.cursor.height)
        self._metrics.lag.set(self._standing.lag_blocks)
        self._metrics.streams.set(self._live.hub.count)
        self._metrics.outbox_age.set(self._live.feed.age_s)
        await self.readiness()

    async def readiness(self) -> Readiness:
        """Say of each part whether it works."""
        parts = {
            "database": await self._probe.why(),
            "node": self._standing.why_no_node(),
            "follower": self._standing.why_not_level(),
        }
        for part, why in parts.items():
            self._metrics.ready.labels(part).set(not why)
        return Readiness(parts)
