"""A sliding window of a minute, made of two fixed ones. Pure.

What passed in this minute counts, and of the last one the part that the window still covers. When
one more fits follows from the same sum, so what a caller is told to wait is what it has to wait.
"""

from dataclasses import dataclass
from typing import Final

MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class LimitAsk:
    """One request of a subject, which may ask so often a minute."""

    subject: str
    limit: int


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left to a subject: `allowed` says whether this request may pass.

    `retry_s` is when one would fit, `reset_s` when nothing of now counts any more.
    """

    allowed: bool
    limit: int
    remaining: int
    retry_s: int
    reset_s: int


@dataclass(frozen=True, slots=True)
class Window:
    """What passed in this minute and the one before, `into_ms` after this one began."""

    limit: int
    before: int
    count: int
    into_ms: int

    @property
    def carried(self) -> int:
        """Give what the sliding window still covers of the minute before."""
        return self.before * (MINUTE_MS - self.into_ms) // MINUTE_MS

    @property
    def left(self) -> int:
        """Give how many requests fit now."""
        return max(self.limit - self.carried - self.count, 0)

    def fits_in_ms(self) -> int:
        """Give in how long one request fits, if none comes meanwhile."""
        if self.left:
            return 0
        if self.count < self.limit:
            # The largest rest of the minute of which `before * rest // MINUTE_MS` leaves one free.
            rest_ms = (MINUTE_MS * (self.limit - self.count) - 1) // self.before
            return MINUTE_MS - rest_ms - self.into_ms
        next_rest_ms = (MINUTE_MS * self.limit - 1) // self.count
        return (MINUTE_MS - self.into_ms) + max(MINUTE_MS - next_rest_ms, 0)

    def empties_in_ms(self) -> int:
        """Give in how long nothing that passed until now counts any more."""
        rest_ms = MINUTE_MS - self.into_ms
        return rest_ms + MINUTE_MS if self.count else rest_ms if self.before else 0

    def quota(self, *, allowed: bool, unused: int) -> Quota:
        """Say what a request is told; `unused` were granted beside it and stand after it."""
        return Quota(
            allowed,
            self.limit,
            remaining=self.left + unused if allowed else 0,
            retry_s=max(whole_seconds(self.fits_in_ms()), 1),
            reset_s=whole_seconds(self.empties_in_ms()),
        )


def whole_seconds(ms: int) -> int:
    """Round up: who waits so long has waited long enough."""
    return -(-ms // 1_000)
