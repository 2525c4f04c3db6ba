"""Rate limits, counted in the shared database: no worker has a count or a clock of its own.

What is told to a caller comes from the same sum by the same clock, the database's: who comes back
after `Retry-After`, and is alone, passes. Refused requests are not counted, so asking too often
does not lengthen the wait. A batch counts all its requests in one statement.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.statements import text
from api.limits.windows import MINUTE_MS, LimitAsk, Quota, Window

MINUTES_KEPT: Final = 5


class Limiter:
    """Counts requests against a limit a minute. `ahead_ms` puts its clock ahead of the database's.

    Only a test lets time go by in that way.
    """

    def __init__(self, engine: AsyncEngine, ahead_ms: Callable[[], int] = lambda: 0) -> None:
        # One statement is a transaction by itself: no BEGIN, no COMMIT, no waiting for the disk.
        # A crash may forget the last counts, which harms nobody.
        self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.ahead_ms = ahead_ms

    async def take(self, asks: Sequence[LimitAsk]) -> list[Quota | Exception]:
        """Let requests pass, in order, as far as their subjects' limits reach."""
        async with self._single.connect() as connection:
            return list(await self._take(connection, asks, _TAKE_ALONE))

    async def take_within(
        self, connection: AsyncConnection, asks: Sequence[LimitAsk]
    ) -> list[Quota]:
        """Do the same in the caller's transaction: it counts if that is committed."""
        return await self._take(connection, asks, _TAKE)

    async def _take(
        self, connection: AsyncConnection, asks: Sequence[LimitAsk], statement: str
    ) -> list[Quota]:
        if not asks:
            return []
        asked = Counter(ask.subject for ask in asks)
        limits = {ask.subject: ask.limit for ask in asks}
        names = sorted(asked)
        rows = await connection.execute(
            text(statement),
            {
                "subjects": names,
                "counts": [asked[name] for name in names],
                "limits": [limits[name] for name in names],
                "ahead": self.ahead_ms(),
            },
        )
        found = {
            row.subject: (
                row.granted,
                Window(limits[row.subject], row.before, row.passed, row.into_ms),
            )
            for row in rows
        }
        answers: list[Quota] = []
        seen: Counter[str] = Counter()
        for ask in asks:
            seen[ask.subject] += 1
            granted, window = found[ask.subject]
            unused = granted - seen[ask.subject]
            answers.append(window.quota(allowed=unused >= 0, unused=unused))
        return answers

    async def give_back(self, connection: AsyncConnection, subjects: Sequence[str]) -> None:
        """Take counts back that were taken just now, in the same transaction."""
        if not subjects:
            return
        back = Counter(subjects)
        names = sorted(back)
        await connection.execute(
            text(_GIVE_BACK),
            {"subjects": names, "counts": [back[name] for name in names]},
        )

    async def forget(self) -> None:
        """Drop windows that no limit looks at any more."""
        async with self._single.connect() as connection:
            await connection.execute(text(_FORGET))


_NOW_MS: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

_FORGET: Final = f"""
    DELETE FROM rate_windows WHERE minute < {_NOW_MS} / {MINUTE_MS} - {MINUTES_KEPT}
"""  # noqa: S608 - constants of this module

_GIVE_BACK: Final = """
    UPDATE rate_windows r SET count = greatest(r.count - b.count, 0)
    FROM unnest(CAST(:subjects AS text[]), CAST(:counts AS bigint[])) AS b(subject, count)
    WHERE r.subject = b.subject
        AND r.minute = (SELECT max(minute) FROM rate_windows w WHERE w.subject = b.subject)
"""


def _take_statement(first: str, source: str) -> str:
    """Write the statement that counts; `first` comes before it, and `source` brings it in."""
    # `room` is what the minute before leaves of the limit. The row of this minute is locked by the
    # insertion, so its count is the newest; what is granted now is kept in it to be given back.
    return f"""
    WITH {first} clock AS MATERIALIZED (
        SELECT now_ms / {MINUTE_MS} AS minute, now_ms % {MINUTE_MS} AS into_ms
        FROM (SELECT {_NOW_MS} + CAST(:ahead AS bigint) AS now_ms) n
    ),
    asked AS MATERIALIZED (
        SELECT a.subject, a.count, c.minute, c.into_ms, coalesce(b.count, 0) AS before,
            greatest(
                a.most - coalesce(b.count, 0) * ({MINUTE_MS} - c.into_ms) / {MINUTE_MS}, 0
            ) AS room
        FROM unnest(CAST(:subjects AS text[]), CAST(:counts AS bigint[]),
            CAST(:limits AS bigint[])) AS a(subject, count, most)
        CROSS JOIN clock c {source}
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


_TAKE: Final = _take_statement("", "")
# Alone it doesn't wait for the disk. Within a transaction it must not decide that for the others.
_TAKE_ALONE: Final = _take_statement(
    "relaxed AS (SELECT set_config('synchronous_commit', 'off', true)),", "CROSS JOIN relaxed"
)
