"""A connection of the test's own, whose locks hold the service up where the test wants it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from api.db.address import read_address
from tests.support.system.patience import PATIENCE_S


class HeldLocks:
    """A transaction that is open until it is ended."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def do(self, statement: str, *arguments: object) -> None:
        """Change or lock something."""
        await self._connection.execute(statement, *arguments)

    async def until_met(self) -> None:
        """Wait until somebody stands before one of its locks."""
        mine = await self._connection.fetchval("SELECT pg_backend_pid()")
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"
        async with asyncio.timeout(PATIENCE_S):
            while not await self._connection.fetchval(waiting, mine):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Commit, and let everybody go on."""
        await self._connection.execute("COMMIT")


@asynccontextmanager
async def held_locks(database_url: str) -> AsyncIterator[HeldLocks]:
    """Open a transaction; what is not committed at the end is rolled back."""
    connection = await read_address(database_url).connect()
    try:
        await connection.execute("BEGIN")
        yield HeldLocks(connection)
    finally:
        await connection.close()
