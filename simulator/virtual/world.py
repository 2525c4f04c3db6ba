"""The world: one clock, one heap of things that will happen, and the seed's streams of chance.

Invariant: what happens depends on the seed alone. Things due at the same millisecond happen in the
order in which they were planned, and every purpose draws from a stream of its own, so a new fault
in one place does not reshuffle the dice of another. Nothing here waits for real time.
"""

import heapq
from collections.abc import Callable
from random import Random
from typing import Final

STEPS_MAX: Final = 5_000_000
"""More than the largest scenario takes: past it something feeds itself."""

Act = Callable[[], None]


def stream(seed: int, purpose: str) -> Random:
    """Give the seed's stream of chance for one purpose, the same under any PYTHONHASHSEED."""
    # A text seeds by its SHA-512, never by hash().
    return Random(f"{seed}/{purpose}")  # noqa: S311  # Chance for a simulation, no secret.


class World:
    """Virtual time. `now_ms` begins at zero and only `run` moves it."""

    __slots__ = ("_heap", "_planned", "now_ms", "seed", "steps")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now_ms = 0
        self.steps = 0
        self._heap: list[tuple[int, int, Act]] = []
        self._planned = 0

    def at(self, time_ms: int, act: Act) -> None:
        """Plan an act for a time, or for now if that is past."""
        self._planned += 1
        heapq.heappush(self._heap, (max(time_ms, self.now_ms), self._planned, act))

    def after(self, wait_ms: int, act: Act) -> None:
        """Plan an act for some time from now."""
        self.at(self.now_ms + wait_ms, act)

    def run(self, until_ms: int, done: Callable[[], bool] = lambda: False) -> bool:
        """Let things happen until a time, or until `done`; tell whether it was done."""
        heap = self._heap
        while not done():
            if not heap or heap[0][0] > until_ms:
                self.now_ms = until_ms
                return False
            self.now_ms, _, act = heapq.heappop(heap)
            self.steps += 1
            assert self.steps <= STEPS_MAX, "the simulation feeds itself"
            act()
        return True
