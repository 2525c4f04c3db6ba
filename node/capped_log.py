"""A logger for lines that others can cause: a flood of requests must not fill the disk.

Each kind of line has a bucket of its own, so that a flood of one kind hides no other; what it
leaves out is counted, and told by the next line of that kind. Nothing is left out of metrics.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

LINES_A_SECOND: Final = 5
LINES_AT_ONCE_MAX: Final = 100
"""How many lines of a kind are written at once, if none was for `LINES_AT_ONCE_MAX` / rate."""
KINDS_MAX: Final = 256
"""Further kinds share one bucket."""


@dataclass(slots=True)
class _Bucket:
    """What is left of a kind's lines, as of when, and how many were left out since the last."""

    lines: float
    filled_s: float
    left_out: int = 0


class CappedLog:
    """Writes at most `LINES_A_SECOND` lines of each kind. It is not locked: one thread uses it."""

    def __init__(
        self,
        logger: structlog.typing.FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def log(self, level: int, event: str, kind: object = None, **fields: object) -> None:
        """Write a line, or count it; a line's `left_out` says how many were, just before it.

        `kind` is what the lines of one bucket have in common; else it is the event.
        """
        bucket = self._bucket(event if kind is None else str(kind))
        now_s = self._clock()
        gained = (now_s - bucket.filled_s) * LINES_A_SECOND
        bucket.lines, bucket.filled_s = min(LINES_AT_ONCE_MAX, bucket.lines + gained), now_s
        if bucket.lines < 1:
            bucket.left_out += 1
            return
        bucket.lines -= 1
        if bucket.left_out:
            fields["left_out"], bucket.left_out = bucket.left_out, 0
        self._logger.log(level, event, **fields)

    def _bucket(self, kind: str) -> _Bucket:
        if kind not in self._buckets and len(self._buckets) >= KINDS_MAX:
            kind = ""
        return self._buckets.setdefault(kind, _Bucket(LINES_AT_ONCE_MAX, self._clock()))
