"""Taking away at once what workers remember, without asking the database for every request.

What a worker remembers of a credential bears the epoch that it was read in. Whoever takes something
away raises the epoch in the same transaction, and then waits `TRUST_S` before it says that it is
done. A worker trusts the epoch that it knows for `TRUST_S` from the moment it asked for it. So a
request that begins after the answer "revoked" meets a worker that has asked since, whatever else
was slow: there is no moment at which a revoked credential still passes.

Invariant: a request that begins at t is judged by an epoch that was asked for at t - TRUST_S or
later.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.statements import text

TRUST_S: Final = 0.25


class Epoch:
    """One of the epochs, as this worker knows it."""

    def __init__(
        self, engine: AsyncEngine, name: str, steady_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._name = name
        self._steady_s = steady_s
        self._value = -1
        self._asked_s = float("-inf")
        self._asking: asyncio.Task[int] | None = None

    async def current(self) -> int:
        """Give the epoch; one request asks for all that come meanwhile."""
        now_s = self._steady_s()
        if now_s - self._asked_s >= TRUST_S:
            self._asked_s = now_s
            self._asking = asyncio.create_task(self._ask())
        if self._asking is None:
            return self._value
        return await asyncio.shield(self._asking)

    async def _ask(self) -> int:
        me = asyncio.current_task()
        try:
            async with self._reader.connect() as connection:
                value = await connection.scalar(
                    text("SELECT value FROM epochs WHERE name = :name"), {"name": self._name}
                )
        except BaseException:
            if self._asking is me:
                self._asked_s, self._asking = float("-inf"), None
            raise
        if self._asking is me:
            self._value, self._asking = int(value or 0), None
        return int(value or 0)


async def raise_epoch(connection: AsyncConnection, name: str) -> None:
    """Let every worker forget what it remembers under an epoch, with the caller's transaction."""
    await connection.execute(
        text("UPDATE epochs SET value = value + 1 WHERE name = :name"), {"name": name}
    )


async def settle() -> None:
    """Wait until no worker trusts what it knew before; to be called after the commit."""
    await asyncio.sleep(TRUST_S)
