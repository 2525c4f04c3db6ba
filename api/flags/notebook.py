"""Notes for the detectors, off the way of what they are about: in memory, then in batches.

To note costs a request no wait. Of one subject at most `KEPT_A_SUBJECT` are kept between two
writings, and in all `PENDING_MAX`: what is odd by its number shows by fewer. A crash forgets the
last second's, which harms nobody.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from ulid import ULID

from api.db.faults import DATABASE_FAULTS, describe
from api.flags.facts import add_notes
from api.flags.model import Fact, NoteKind

FLUSH_S: Final = 1.0
PENDING_MAX: Final = 5_000
KEPT_A_SUBJECT: Final = 50
REF_CHARS_MAX: Final = 80

log = structlog.get_logger("flags")


class Notebook:
    """What was noted and is not written yet."""

    def __init__(self, engine: AsyncEngine, now_ms: Callable[[], int]) -> None:
        self._engine, self._now_ms = engine, now_ms
        self._pending: list[tuple[str, NoteKind, Fact]] = []
        self._kept: Counter[str] = Counter()

    def note(self, kind: NoteKind, merchant_id: str, subject: str, ref: str) -> None:
        """Note something that somebody did."""
        if len(self._pending) >= PENDING_MAX or self._kept[subject] >= KEPT_A_SUBJECT:
            return
        self._kept[subject] += 1
        now_ms = self._now_ms()
        fact = Fact(now_ms, merchant_id, subject, ref[:REF_CHARS_MAX])
        self._pending.append((str(ULID.from_timestamp(now_ms)), kind, fact))

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                await self.flush()
            except DATABASE_FAULTS as fault:
                log.warning("notes dropped", fault=describe(fault))

    async def flush(self) -> None:
        """Write what was noted until now; what can't be written is dropped."""
        pending, self._pending = self._pending, []
        self._kept.clear()
        if pending:
            async with self._engine.begin() as connection:
                await add_notes(connection, pending)
