"""Requests that hold their answer until a transaction is final, woken by the follower.

They are in this process's memory: another worker's follower wakes its own. A wait that ends
without a wake-up looks into the database once more, so a lost one costs time and never truth.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

WAITERS_MAX: Final = 20_000


class Waiters:
    """Who waits for which transaction."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, set[asyncio.Future[None]]] = {}
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        """Count those who wait."""
        return self._count

    def add(self, tx_hash: bytes) -> asyncio.Future[None] | None:
        """Begin to wait, before looking whether it is there already; None if nobody more may."""
        if self._closed or self._count >= WAITERS_MAX:
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tx_hash, set()).add(future)
        self._count += 1
        return future

    def drop(self, tx_hash: bytes, future: asyncio.Future[None]) -> None:
        """Stop waiting."""
        waiting = self._waiting.get(tx_hash, set())
        if future in waiting:
            waiting.discard(future)
            self._count -= 1
            if not waiting:
                del self._waiting[tx_hash]

    def close(self) -> None:
        """Let nobody wait any longer, for the service ends: who asked is told what is known."""
        self._closed = True
        self.wake(self._waiting)

    def wake(self, tx_hashes: Iterable[bytes]) -> None:
        """Tell everyone who waits for these to look again: they are final, or no news comes."""
        for tx_hash in tuple(tx_hashes):
            waiting = self._waiting.pop(tx_hash, set())
            self._count -= len(waiting)
            for future in waiting:
                if not future.done():
                    future.set_result(None)
