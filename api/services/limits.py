"""Rate limits, counted in the shared database: no worker has a count of its own.

A sliding window of a minute is made of two fixed ones: the count of this minute, and of the last
one in the part that the window still covers. A batch counts all its requests in one statement.
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
    """What is left to a subject: `allowed` says whether this request may pass."""

    allowed: bool
    limit: int
    remaining: int
    reset_s: int


class Limiter:
    """Counts requests against a limit a minute."""

    def __init__(self, engine: AsyncEngine, limit: int) -> None:
        # One statement is a transaction by itself: no BEGIN, no COMMIT, no waiting for the disk.
        # A crash may forget the last counts, which harms nobody.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._engine = engine
        self._limit = limit

    async def take(self, subjects: Sequence[str], now_ms: int) -> list[Quota | Exception]:
        """Count one request a subject, in order; refused ones count as well."""
        minute, into_ms = divmod(now_ms, MINUTE_MS)
        asked = Counter(subjects)
        async with self._single.connect() as connection:
            rows = await connection.execute(
                text("""
                    WITH relaxed AS (SELECT set_config('synchronous_commit', 'off', true)),
                    counted AS (
                        INSERT INTO rate_windows (subject, minute, count)
                        SELECT subject, :minute, count FROM unnest(
                            CAST(:subjects AS text[]), CAST(:counts AS bigint[])
                        ) AS r(subject, count) ORDER BY subject
                        ON CONFLICT (subject, minute)
                            DO UPDATE SET count = rate_windows.count + EXCLUDED.count
                        RETURNING subject, count
                    )
                    SELECT c.subject, c.count, coalesce(b.count, 0) AS before FROM counted c
                    CROSS JOIN relaxed
                    LEFT JOIN rate_windows b ON b.subject = c.subject AND b.minute = :minute - 1
                """),
                {
                    "minute": minute,
                    "subjects": sorted(asked),
                    "counts": [asked[subject] for subject in sorted(asked)],
                },
            )
            used = {
                row.subject: row.count + row.before * (MINUTE_MS - into_ms) // MINUTE_MS
                for row in rows
            }
        answers: list[Quota | Exception] = []
        seen: Counter[str] = Counter()
        reset_s = -(-(MINUTE_MS - into_ms) // 1_000)
        for subject in subjects:
            seen[subject] += 1
            mine = used[subject] - asked[subject] + seen[subject]
            left = max(self._limit - mine, 0)
            answers.append(Quota(mine <= self._limit, self._limit, left, reset_s))
        return answers

    async def forget(self, now_ms: int) -> None:
        """Drop windows that no limit looks at any more."""
        async with self._engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM rate_windows WHERE minute < :before"),
                {"before": now_ms // MINUTE_MS - MINUTES_KEPT},
            )
