"""Minutes in the database: written by whoever leads, read by all."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.status.model import MINUTE_MS, Record, Watched
from api.status.rules import minute_of, outages_of


async def write_minute(connection: AsyncConnection, minute_ms: int, part: str) -> None:
    """Note a look: a minute is bad from the first look that found something wrong."""
    await connection.execute(
        text("""
            INSERT INTO status_minutes AS s (minute_ms, part) VALUES (:minute, :part)
            ON CONFLICT (minute_ms) DO UPDATE SET part = EXCLUDED.part WHERE s.part = ''
        """),
        {"minute": minute_ms, "part": part},
    )


async def forget_minutes(connection: AsyncConnection, before_ms: int) -> None:
    """Drop what is older than what is told."""
    await connection.execute(
        text("DELETE FROM status_minutes WHERE minute_ms < :before"), {"before": before_ms}
    )


async def read_record(connection: AsyncConnection, from_ms: int, now_ms: int) -> Record:
    """Sum up the minutes since a time; the one that is going on is left out."""
    this_ms = minute_of(now_ms)
    span = {"since": minute_of(from_ms), "this": this_ms}
    rows = await connection.execute(
        text("""
            SELECT min(minute_ms) AS first_ms, max(minute_ms) AS last_ms,
                count(*) FILTER (WHERE part = '') AS good
            FROM status_minutes WHERE minute_ms >= :since AND minute_ms < :this
        """),
        span,
    )
    told = rows.one()
    if told.first_ms is None:
        return Record(None, 0, 0, ())
    odd = await connection.execute(
        text("""
            SELECT minute_ms, part, before_ms FROM (
                SELECT minute_ms, part, lag(minute_ms) OVER (ORDER BY minute_ms) AS before_ms
                FROM status_minutes WHERE minute_ms >= :since AND minute_ms < :this
            ) AS m
            WHERE part <> '' OR minute_ms - before_ms > :minute ORDER BY minute_ms
        """),
        {**span, "minute": MINUTE_MS},
    )
    watched = [Watched(row.minute_ms, row.part, row.before_ms) for row in odd]
    outages = outages_of(watched, told.last_ms, now_ms)
    ends_ms = this_ms if this_ms - told.last_ms > 2 * MINUTE_MS else told.last_ms + MINUTE_MS
    minutes = (ends_ms - told.first_ms) // MINUTE_MS
    return Record(told.first_ms, minutes, told.good, tuple(outages))
