"""The request log in the database: written in batches, cut to what is kept."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.db.tables.request_log import request_log
from api.request_log.model import KEPT_A_KEY, LoggedRequest

_COLUMNS: Final = {
    "merchant_id": "text",
    "key_id": "text",
    "id": "text",
    "request_id": "text",
    "at_ms": "bigint",
    "method": "text",
    "path": "text",
    "query": "text",
    "body": "text",
    "body_cut": "boolean",
    "status": "int",
    "code": "text",
    "took_ms": "int",
}
_PAIRS: Final = ("headers", "errors")
_NAMES: Final = ", ".join((*_COLUMNS, *_PAIRS))
_LISTS: Final = ", ".join(
    [f"CAST(:{name} AS {kind}[])" for name, kind in _COLUMNS.items()]
    + [f"CAST(:{name} AS text[])" for name in _PAIRS]
)
_INSERT: Final = f"""
    INSERT INTO request_log ({_NAMES})
    SELECT {", ".join(_COLUMNS)}, {", ".join(f"{name}::jsonb" for name in _PAIRS)}
    FROM unnest({_LISTS}) AS n({_NAMES})
"""  # noqa: S608 - constants of this module


async def write(connection: AsyncConnection, requests: Sequence[LoggedRequest]) -> None:
    """Write requests, and drop what is older than a key's last thousand."""
    lists: dict[str, list[object]] = {
        name: [getattr(request, name) for request in requests] for name in _COLUMNS
    }
    for name in _PAIRS:
        lists[name] = [msgspec.json.encode(getattr(one, name)).decode() for one in requests]
    await connection.execute(text(_INSERT), lists)
    keys = sorted({(request.merchant_id, request.key_id) for request in requests})
    await connection.execute(
        text("""
            DELETE FROM request_log l USING (
                SELECT k.merchant_id, k.key_id, (
                    SELECT id FROM request_log o
                    WHERE o.merchant_id = k.merchant_id AND o.key_id = k.key_id
                    ORDER BY id DESC OFFSET :kept LIMIT 1
                ) AS last
                FROM unnest(CAST(:merchants AS text[]), CAST(:keys AS text[]))
                    AS k(merchant_id, key_id)
            ) AS old
            WHERE l.merchant_id = old.merchant_id AND l.key_id = old.key_id AND l.id <= old.last
        """),
        {
            "kept": KEPT_A_KEY,
            "merchants": [merchant for merchant, _ in keys],
            "keys": [key for _, key in keys],
        },
    )


async def forget(connection: AsyncConnection, before_ms: int) -> None:
    """Drop what is older than a time, of every key."""
    await connection.execute(delete(request_log).where(request_log.c.at_ms < before_ms))


async def list_requests(
    connection: AsyncConnection,
    merchant_id: str,
    key_id: str,
    before: str,
    limit: int,
    *,
    failed: bool,
) -> list[LoggedRequest]:
    """List a key's requests, newest first, those below an id; of the failed alone if asked."""
    table = request_log.c
    query = select(request_log).where(table.merchant_id == merchant_id, table.key_id == key_id)
    if before:
        query = query.where(table.id < before)
    if failed:
        query = query.where(table.status >= 400)
    rows = await connection.execute(query.order_by(table.id.desc()).limit(limit))
    return [
        LoggedRequest(
            **{
                **row,
                "headers": tuple((name, value) for name, value in row["headers"]),
                "errors": tuple((pointer, code) for pointer, code in row["errors"]),
            }
        )
        for row in rows.mappings()
    ]


async def last_uses(
    connection: AsyncConnection, merchant_id: str, key_ids: Sequence[str]
) -> dict[str, int]:
    """Tell when keys were last used, of those that were, by what the log still holds."""
    table = request_log.c
    rows = await connection.execute(
        select(table.key_id, func.max(table.at_ms))
        .where(table.merchant_id == merchant_id, table.key_id.in_(key_ids))
        .group_by(table.key_id)
    )
    return {row[0]: row[1] for row in rows}
