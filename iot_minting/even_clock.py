"""The clock that readings are dated and arrivals judged by: wall time that never runs backwards.

Invariant: two looks at it lie at least as far apart as the machine's monotonic clock says. A wall
clock that is set forward is followed at once; one that is set back is not, and time runs evenly on
until it has caught up. So an hour's step either way costs no wait, and nothing of a device is ever
dated before what it signed already.
"""

import threading
import time
from collections.abc import Callable


def wall_ms() -> int:
    """Tell the time in milliseconds since 1970, by a clock that anybody may set."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Tell milliseconds by a clock that nobody sets: only spans of it mean anything."""
    return time.monotonic_ns() // 1_000_000


class EvenClock:
    """Milliseconds since 1970 for one process; its threads share it."""

    def __init__(
        self, wall: Callable[[], int] = wall_ms, steady: Callable[[], int] = steady_ms
    ) -> None:
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()
        self._base_ms, self._base_steady_ms = wall(), steady()

    def now_ms(self) -> int:
        """Tell the time: the wall's, or the last one told and what has passed since, if later."""
        return self.raise_to(0)

    def raise_to(self, floor_ms: int) -> int:
        """Tell the time, which from now on is at least this: what is dated so far lies before."""
        with self._lock:
            steady = self._steady()
            even_ms = self._base_ms + steady - self._base_steady_ms
            self._base_ms = max(even_ms, self._wall(), floor_ms)
            self._base_steady_ms = steady
            return self._base_ms
