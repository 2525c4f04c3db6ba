"""Rate limits, counted in the shared database: no worker has a count or a clock of its own.

A sliding window of a minute is made of two fixed ones: what passed in this minute, and of the last
one the part that the window still covers. What is told to a caller comes from the same sum by the
same clock, the database's: who comes back after `Retry-After`, and is alone, passes. Refused
requests are not counted, so asking too often does not lengthen the wait. A batch counts all its
requests in one statement.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

MINUTE_MS: Final = 60_000
MINUTES_KEPT: Final = 5


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


def _seconds(ms: int) -> int:
    return -(-ms // 1_000)


class Limiter:
    """Counts requests against a limit a minute."""

    def __init__(self, engine: AsyncEngine, limit: int) -> None:
        # One statement is a transaction by itself: no BEGIN, no COMMIT, no waiting for the disk.
        # A crash may forget the last counts, which harms nobody.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._limit = limit

    async def take(self, subjects: Sequence[str]) -> list[Quota | Exception]:
        """Let requests pass, one a subject in order, as far as their limit reaches."""
        asked = Counter(subjects)
        names = sorted(asked)
        async with self._single.connect() as connection:
            rows = await connection.execute(
                text(_TAKE),
                {
                    "limit": self._limit,
                    "subjects": names,
                    "counts": [asked[name] for name in names],
                },
            )
            found = {
                row.subject: (
                    row.granted,
                    Window(self._limit, row.before, row.passed, row.into_ms),
                )
                for row in rows
            }
        answers: list[Quota | Exception] = []
        seen: Counter[str] = Counter()
        for subject in subjects:
            seen[subject] += 1
            granted, window = found[subject]
            allowed = seen[subject] <= granted
            answers.append(
                Quota(
                    allowed,
                    self._limit,
                    remaining=window.left + granted - seen[subject] if allowed else 0,
                    retry_s=max(_seconds(window.fits_in_ms()), 1),
                    reset_s=_seconds(window.empties_in_ms()),
                )
            )
        return answers

    async def forget(self) -> None:
        """Drop windows that no limit looks at any more."""
        async with self._single.connect() as connection:
            await connection.execute(text(_FORGET))


_NOW_MS: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

_FORGET: Final = f"""
    DELETE FROM rate_windows WHERE minute < {_NOW_MS} / {MINUTE_MS} - {MINUTES_KEPT}
"""  # noqa: S608 - constants of this module

# `room` is what the minute before leaves of the limit. The row of this minute is locked by the
# insertion, so its count is the newest; what is granted now is kept in it to be given back.
_TAKE: Final = f"""
    WITH relaxed AS (SELECT set_config('synchronous_commit', 'off', true)),
    clock AS MATERIALIZED (
        SELECT now_ms / {MINUTE_MS} AS minute, now_ms % {MINUTE_MS} AS into_ms
        FROM (SELECT {_NOW_MS} AS now_ms) n
    ),
    asked AS MATERIALIZED (
        SELECT a.subject, a.count, c.minute, c.into_ms, coalesce(b.count, 0) AS before,
            greatest(:limit - coalesce(b.count, 0) * ({MINUTE_MS} - c.into_ms) / {MINUTE_MS}, 0)
                AS room
        FROM unnest(CAST(:subjects AS text[]), CAST(:counts AS bigint[])) AS a(subject, count)
        CROSS JOIN clock c CROSS JOIN relaxed
        LEFT JOIN rate_windows b ON b.subject = a.subject AND b.minute = c.minute - 1
        ORDER BY a.subject
    ),
    taken AS (
        INSERT INTO rate_windows AS r (subject, minute, count, granted)
        SELECT subject, minute, least(count, room), least(count, room) FROM asked ORDER BY subject
        ON CONFLICT (subject, minute) DO UPDATE SET (count, granted) = (
            SELECT r.count + g, g FROM (
                SELECT least(a.count, greatest(a.room - r.count, 0)) AS g
                FROM asked a WHERE a.subject = r.subject
            ) x
        )
        RETURNING subject, count, granted
    )
    SELECT t.subject, t.count AS passed, t.granted, a.before, a.into_ms
    FROM taken t JOIN asked a ON a.subject = t.subject
"""  # noqa: S608 - constants of this module
