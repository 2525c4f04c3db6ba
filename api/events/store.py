"""A merchant's events as partners read them: by number, in order."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text

KEPT_MS: Final = 400 * 86_400_000
"""How long what happened can be read, and sent anew."""
FORGOTTEN_AT_ONCE_MAX: Final = 10_000

_ID: Final = re.compile(r"evt_([0-9A-HJKMNP-TV-Z]{26})_([1-9][0-9]{0,17})", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """An event, and when it was written; `body` is JSON."""

    merchant_id: str
    seq: int
    kind: str
    at_ms: int
    body: msgspec.Raw

    @property
    def id(self) -> str:
        """Give its name: the same in lists and in every delivery, so a reader knows it again."""
        return event_id(self.merchant_id, self.seq)


def event_id(merchant_id: str, seq: int) -> str:
    """Give the name of a merchant's event."""
    return f"evt_{merchant_id}_{seq}"


def seq_of(name: str, merchant_id: str) -> int | None:
    """Give the number that an event's name bears; None if it is no event of this merchant."""
    match = _ID.fullmatch(name)
    return int(match[2]) if match is not None and match[1] == merchant_id else None


async def list_events(
    connection: AsyncConnection,
    merchant_id: str,
    after: int,
    kinds: Sequence[str],
    limit: int,
) -> list[KeptEvent]:
    """List a merchant's events beyond a number, in order; of all kinds if none is named."""
    rows = await connection.execute(
        text("""
            SELECT merchant_id, seq, kind, at_ms, body::text AS body FROM events
            WHERE merchant_id = :merchant AND seq > :after
                AND (:all OR kind = ANY(CAST(:kinds AS text[])))
            ORDER BY seq LIMIT :limit
        """),
        {
            "merchant": merchant_id,
            "after": after,
            "all": not kinds,
            "kinds": list(kinds),
            "limit": limit,
        },
    )
    return [read_event(row) for row in rows]


async def find_event(connection: AsyncConnection, merchant_id: str, seq: int) -> KeptEvent | None:
    """Read one event."""
    found = await list_events(connection, merchant_id, seq - 1, (), 1)
    return found[0] if found and found[0].seq == seq else None


async def forget_events(connection: AsyncConnection, before_ms: int) -> None:
    """Forget what happened before a time, some of it: another call goes on."""
    await connection.execute(
        text("""
            DELETE FROM events e USING (
                SELECT o.merchant_id, o.seq FROM merchant_sequences s CROSS JOIN LATERAL (
                    SELECT merchant_id, seq FROM events
                    WHERE merchant_id = s.merchant_id AND at_ms < :before LIMIT :most
                ) o LIMIT :most
            ) old WHERE e.merchant_id = old.merchant_id AND e.seq = old.seq
        """),
        {"before": before_ms, "most": FORGOTTEN_AT_ONCE_MAX},
    )


def read_event(row: Any) -> KeptEvent:
    """Read a row of merchant_id, seq, kind, at_ms and body."""
    return KeptEvent(row.merchant_id, row.seq, row.kind, row.at_ms, msgspec.Raw(row.body.encode()))
