"""What the operations channel is told, written in the transaction of what it tells of.

A notice waits in the database until the channel has taken it: a channel that is down loses nothing.
Past `WAITING_MAX` no further one is written; the flags that they tell of stand all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.db.statements import text

WAITING_MAX: Final = 1_000
AT_ONCE_MAX: Final = 20
"""So many notices go in one message."""


@dataclass(frozen=True, slots=True)
class OpsNotice:
    """Something that the channel has not been told."""

    union_id: str
    id: str
    body: str
    tries: int


async def add_notice(connection: AsyncConnection, union_id: str, body: str, now_ms: int) -> None:
    """Let the channel be told."""
    await connection.execute(
        text("""
            INSERT INTO ops_notices (union_id, id, body, created_ms, due_ms)
            SELECT :union, :id, :body, :now, :now
            WHERE (SELECT count(*) FROM ops_notices) < :most
        """),
        {
            "union": union_id,
            "id": str(ULID.from_timestamp(now_ms)),
            "body": body,
            "now": now_ms,
            "most": WAITING_MAX,
        },
    )


async def due_notices(connection: AsyncConnection, now_ms: int) -> list[OpsNotice]:
    """Give what is to be told now, oldest first."""
    rows = await connection.execute(
        text("""
            SELECT union_id, id, body, tries FROM ops_notices WHERE due_ms <= :now
            ORDER BY id LIMIT :most
        """),
        {"now": now_ms, "most": AT_ONCE_MAX},
    )
    return [OpsNotice(row.union_id, row.id, row.body, row.tries) for row in rows]


async def drop_notices(connection: AsyncConnection, notices: Sequence[OpsNotice]) -> None:
    """Take away what was told."""
    await connection.execute(
        text("""
            DELETE FROM ops_notices o USING unnest(
                CAST(:unions AS text[]), CAST(:ids AS text[])) AS n(union_id, id)
            WHERE o.union_id = n.union_id AND o.id = n.id
        """),
        {"unions": [one.union_id for one in notices], "ids": [one.id for one in notices]},
    )


async def put_off_notices(connection: AsyncConnection, due_ms: int) -> None:
    """Let everything that waits come again at a time: the channel is down for all alike."""
    await connection.execute(
        text("UPDATE ops_notices SET due_ms = :due, tries = tries + 1 WHERE due_ms < :due"),
        {"due": due_ms},
    )
