"""Requests that hold their answer until something happens to a transaction or an order.

They are in this worker's memory, woken by its feed of the outbox. A wait that ends without a
wake-up looks into the database once more, so a lost one costs time and never truth.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

WAITERS_MAX: Final = 20_000


class Waiters:
    """Who waits for news of which transaction (by hash) or order (by id)."""

    def __init__(self) -> None:
        self._waiting: dict[bytes | str, set[asyncio.Future[None]]] = {}
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        """Count those who wait."""
        return self._count

    def add(self, subject: bytes | str) -> asyncio.Future[None] | None:
        """Begin to wait, before looking whether it is there already; None if nobody more may."""
        if self._closed or self._count >= WAITERS_MAX:
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(subject, set()).add(future)
        self._count += 1
        return future

    def drop(self, subject: bytes | str, future: asyncio.Future[None]) -> None:
        """Stop waiting."""
        waiting = self._waiting.get(subject, set())
        if future in waiting:
            waiting.discard(future)
            self._count -= 1
            if not waiting:
                del self._waiting[subject]

    def close(self) -> None:
        """Let nobody wait any longer, for the service ends: who asked is told what is known."""
        self._closed = True
        self.wake(self._waiting)

    def wake(self, subjects: Iterable[bytes | str]) -> None:
        """Tell everyone who waits for these to look again: they are final, or no news comes."""
        for subject in tuple(subjects):
            waiting = self._waiting.pop(subject, set())
            self._count -= len(waiting)
            for future in waiting:
                if not future.done():
                    future.set_result(None)
