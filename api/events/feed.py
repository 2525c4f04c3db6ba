"""What happened, as this worker hears of it: the outbox read as it grows, and the cursor beside it.

Every worker reads the outbox by itself, whoever wrote into it: so a wait or a stream ends in time
in any of them. While somebody listens it is read five times a second at least, else once. Whoever
writes here pokes it, and the worker that follows the chain notifies the others through the
database; both are hints that save time, and nothing hangs on them.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.tip import SettledTip
from api.db.address import DatabaseAddress
from api.db.faults import DATABASE_FAULTS, describe
from api.events.outbox import EVENTS_MAX, StoredEvent, last_seqs, news_after

WATCHED_S: Final = 0.2
QUIET_S: Final = 1.0
SPACING_S: Final = 0.005
"""Reads are at least so far apart: what comes together is read together."""
RECONNECT_S: Final = 2.0

log = structlog.get_logger("feed")


class OutboxFeed:
    """Reads the outbox for one worker, and tells `on_events` what is new."""

    def __init__(
        self,
        engine: AsyncEngine,
        tip: SettledTip,
        watched: Callable[[], bool],
        on_events: Callable[[Sequence[StoredEvent]], None],
    ) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._tip = tip
        self._watched = watched
        self._on_events = on_events
        self._poked = asyncio.Event()
        self._known: dict[str, int] | None = None
        self._level_s = monotonic()

    @property
    def age_s(self) -> float:
        """Give how long ago this worker knew all that there was: what came since waits here."""
        return monotonic() - self._level_s

    def poke(self, *_: Any) -> None:
        """Say that there is something new."""
        self._poked.set()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            self._poked.clear()
            try:
                more = await self.read()
            except DATABASE_FAULTS as fault:
                log.warning("outbox not read", fault=describe(fault))
                more = False
                await asyncio.sleep(QUIET_S)
            await asyncio.sleep(SPACING_S)
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(WATCHED_S if self._watched() else QUIET_S):
                        await self._poked.wait()

    async def read(self) -> bool:
        """Read once; tell whether there is more at once."""
        asked_s = monotonic()
        async with self._engine.connect() as connection:
            if self._known is None:
                self._known = await last_seqs(connection)
            cursor, events = await news_after(connection, self._known)
        for event in events:
            self._known[event.merchant_id] = event.seq
        if events:
            self._on_events(events)
        more = len(events) == EVENTS_MAX
        if not more:
            self._tip.advance(cursor)
            self._level_s = asked_s
        return more

    async def listen(self, address: DatabaseAddress, channel: str) -> None:
        """Be poked through the database, until cancelled; a lost connection is made anew."""
        while True:
            try:
                await self._listen_once(await address.connect(), channel)
            except DATABASE_FAULTS as fault:
                log.info("not notified", fault=describe(fault))
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self, connection: Any, channel: str) -> None:
        """Be poked over one connection until it breaks."""
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(channel, self.poke)
            self.poke()  # What came before this ear was open.
            await lost.wait()
        finally:
            connection.terminate()
