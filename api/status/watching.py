"""Looks at the service every few seconds while this worker leads, and tells what it amounts to."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe
from api.readiness import SelfReport
from api.status.model import KEPT_MS, Record
from api.status.rules import minute_of
from api.status.store import forget_minutes, read_record, write_minute

LOOK_S: Final = 5.0
TOLD_S: Final = 10.0
"""How long a sum is told before it is made anew: whoever asks often costs nothing."""

log = structlog.get_logger("status")


class StatusWatch:
    """Writes minutes, and sums them up. `now_ms` is the wall's time."""

    def __init__(self, engine: AsyncEngine, report: SelfReport, now_ms: Callable[[], int]) -> None:
        self._engine, self._report, self._now_ms = engine, report, now_ms
        self._told: Record | None = None
        self._stale_s = 0.0
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except DATABASE_FAULTS as fault:
                log.warning("not written", fault=describe(fault))

    async def look(self) -> None:
        """Look once, and write down how it is."""
        now_ms, readiness = self._now_ms(), await self._report.readiness()
        part = next((name for name, why in readiness.parts.items() if why), "")
        async with self._engine.begin() as connection:
            await write_minute(connection, minute_of(now_ms), part)
            await forget_minutes(connection, now_ms - KEPT_MS)

    async def record(self) -> Record:
        """Sum up what was written."""
        async with self._asking:
            if self._told is None or time.monotonic() >= self._stale_s:
                now_ms = self._now_ms()
                async with self._engine.connect() as connection:
                    self._told = await read_record(connection, now_ms - KEPT_MS, now_ms)
                self._stale_s = time.monotonic() + TOLD_S
        return self._told
