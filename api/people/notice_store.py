"""Notices in the database: what a person's devices are told the next time that they look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.db.tables.people import notices
from api.people.model import NoticeKind

SHOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that was done to a person's account."""

    kind: NoticeKind
    ref_id: str
    at_ms: int


async def add_notice(
    connection: AsyncConnection,
    union_id: str,
    user_id: str,
    kind: NoticeKind,
    ref_id: str,
    now_ms: int,
) -> None:
    """Write a notice for a person."""
    await connection.execute(
        notices.insert().values(
            union_id=union_id,
            user_id=user_id,
            id=str(ULID()),
            kind=kind,
            ref_id=ref_id,
            at_ms=now_ms,
        )
    )


async def newest_notices(
    connection: AsyncConnection, union_id: str, user_id: str
) -> Sequence[Notice]:
    """Read a person's newest notices."""
    c = notices.c
    query = (
        select(c.kind, c.ref_id, c.at_ms)
        .where((c.union_id == union_id) & (c.user_id == user_id))
        .order_by(c.id.desc())
        .limit(SHOWN_MAX)
    )
    return [
        Notice(NoticeKind(row.kind), row.ref_id, row.at_ms)
        for row in await connection.execute(query)
    ]
