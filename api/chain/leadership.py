"""One worker does for all what must be done once: a lease in the database says which.

The holder renews its lease; who dies lets it run out, and another takes over within seconds; who
ends in order gives it back at once. Times are the database's, so no worker's clock matters. A lease
steers and protects nothing by itself: what its holder writes is compare-and-set, so two holders for
a moment do no harm.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe
from api.db.statements import text

LEASE_MS: Final = 3_000
RENEW_S: Final = 0.7
FOLLOWER: Final = "follower"

log = structlog.get_logger("leadership")


class Leadership:
    """Holds or seeks the lease of one name for this worker, `owner`."""

    def __init__(self, engine: AsyncEngine, name: str, owner: str) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._name = name
        self._owner = owner
        self.held = False

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work whenever the lease is ours, until cancelled; raise what the work raises."""
        try:
            while True:
                if await self._take():
                    await self._lead(work)
                await asyncio.sleep(RENEW_S)
        finally:
            await self._give_back()

    async def _lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work until the lease is lost."""
        log.info("leading", work=self._name)
        self.held = True
        working = asyncio.ensure_future(work())
        renewed_s = asyncio.get_running_loop().time()
        try:
            while asyncio.get_running_loop().time() - renewed_s < LEASE_MS / 1_000:
                await asyncio.wait((working,), timeout=RENEW_S)
                if working.done():
                    working.result()
                    return
                if await self._take():
                    renewed_s = asyncio.get_running_loop().time()
        finally:
            self.held = False
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
        log.warning("another leads", work=self._name)

    async def _take(self) -> bool:
        """Take or renew the lease; tell whether it is ours."""
        try:
            async with self._engine.connect() as connection:
                owner = await connection.scalar(
                    text(f"""
                        INSERT INTO leases AS l (name, owner, until_ms)
                        VALUES (:name, :owner, {_NOW_MS} + :lease)
                        ON CONFLICT (name) DO UPDATE
                            SET owner = EXCLUDED.owner, until_ms = EXCLUDED.until_ms
                        WHERE l.owner = EXCLUDED.owner OR l.until_ms < {_NOW_MS}
                        RETURNING owner
                    """),  # noqa: S608 - a constant of this module
                    {"name": self._name, "owner": self._owner, "lease": LEASE_MS},
                )
        except DATABASE_FAULTS as fault:
            log.warning("no lease", fault=describe(fault))
            return False
        return bool(owner == self._owner)

    async def _give_back(self) -> None:
        """Let another worker take over at once."""
        with contextlib.suppress(*DATABASE_FAULTS, TimeoutError):
            async with asyncio.timeout(1), self._engine.connect() as connection:
                await connection.execute(
                    text("DELETE FROM leases WHERE name = :name AND owner = :owner"),
                    {"name": self._name, "owner": self._owner},
                )


_NOW_MS: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
