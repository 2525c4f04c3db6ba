"""Whether the service can do its work now, part by part, each with its reason.

The database is asked on a connection of its own, so that a busy pool is not taken for a dead
server; answers are shared for a second, so that no asker can make it work.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe

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
