"""API keys in the database. Secrets stand there as digests, and are ended, never deleted."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.epoch import raise_epoch
from api.db.statements import text
from api.db.tables.keys import api_key_secrets, api_keys
from api.keys.model import EPOCH, HINT_CHARS, OVERLAP_MS, ApiKey, KeySecret, id_of_configured

_FIND: Final = text("""
    SELECT e.value AS epoch, k.id, k.merchant_id, k.scopes, s.until_ms FROM epochs e
    LEFT JOIN api_key_secrets s ON s.digest = :digest
    LEFT JOIN api_keys k
        ON k.merchant_id = s.merchant_id AND k.id = s.key_id AND k.revoked_ms IS NULL
    WHERE e.name = :epoch
""")
"""One statement, so that a key and its epoch are of one moment."""


async def find_by_digest(connection: AsyncConnection, digest: bytes) -> RowMapping:
    """Give the epoch, and the key that a digest belongs to: its `id` is NULL if there is none."""
    found = await connection.execute(_FIND, {"digest": digest, "epoch": EPOCH})
    return found.mappings().one()


async def insert_key(connection: AsyncConnection, key: ApiKey, digest: bytes, hint: str) -> None:
    """Write a new key with its first secret; one that is there already is left as it is."""
    await connection.execute(
        insert(api_keys)
        .values(
            merchant_id=key.merchant_id,
            id=key.id,
            name=key.name,
            scopes=list(key.scopes),
            created_ms=key.created_ms,
        )
        .on_conflict_do_nothing()
    )
    await _insert_secret(connection, key.merchant_id, key.id, digest, hint, key.created_ms)


async def _insert_secret(
    connection: AsyncConnection,
    merchant_id: str,
    key_id: str,
    digest: bytes,
    hint: str,
    now_ms: int,
) -> None:
    await connection.execute(
        insert(api_key_secrets)
        .values(merchant_id=merchant_id, key_id=key_id, digest=digest, hint=hint, created_ms=now_ms)
        .on_conflict_do_nothing()
    )


async def admit_configured(
    connection: AsyncConnection,
    merchant_id: str,
    digest: bytes,
    scopes: Sequence[str],
    now_ms: int,
) -> None:
    """Admit a key that a configuration names; one that was revoked since stays revoked."""
    key = ApiKey(
        id=id_of_configured(digest),
        merchant_id=merchant_id,
        name="of the configuration",
        scopes=tuple(scopes),
        created_ms=now_ms,
        revoked_ms=None,
        secrets=(),
    )
    await insert_key(connection, key, digest, "?" * HINT_CHARS)


async def count_keys(connection: AsyncConnection, merchant_id: str) -> int:
    """Count a merchant's keys that are not revoked."""
    found = await connection.scalar(
        select(func.count())
        .select_from(api_keys)
        .where(api_keys.c.merchant_id == merchant_id, api_keys.c.revoked_ms.is_(None))
    )
    return int(found or 0)


async def list_keys(
    connection: AsyncConnection, merchant_id: str, before: str, limit: int, now_ms: int
) -> list[ApiKey]:
    """List a merchant's keys, newest first, those below an id."""
    query = select(api_keys).where(api_keys.c.merchant_id == merchant_id)
    if before:
        query = query.where(api_keys.c.id < before)
    rows = (await connection.execute(query.order_by(api_keys.c.id.desc()).limit(limit))).mappings()
    return await _with_secrets(connection, merchant_id, list(rows), now_ms)


async def find_key(
    connection: AsyncConnection, merchant_id: str, key_id: str, now_ms: int, *, lock: bool = False
) -> ApiKey | None:
    """Read a merchant's key; `lock` holds it until the transaction ends."""
    query = select(api_keys).where(api_keys.c.merchant_id == merchant_id, api_keys.c.id == key_id)
    if lock:
        query = query.with_for_update(key_share=True)
    rows = (await connection.execute(query)).mappings()
    keys = await _with_secrets(connection, merchant_id, list(rows), now_ms)
    return keys[0] if keys else None


async def _with_secrets(
    connection: AsyncConnection, merchant_id: str, rows: Sequence[RowMapping], now_ms: int
) -> list[ApiKey]:
    secrets: dict[str, list[KeySecret]] = {row["id"]: [] for row in rows}
    table = api_key_secrets.c
    found = await connection.execute(
        select(table.key_id, table.hint, table.created_ms, table.until_ms)
        .where(table.merchant_id == merchant_id, table.key_id.in_(secrets))
        .where(table.until_ms.is_(None) | (table.until_ms > now_ms))
        .order_by(table.created_ms.desc())
    )
    for key_id, hint, created_ms, until_ms in found:
        secrets[key_id].append(KeySecret(hint, created_ms, until_ms))
    return [
        ApiKey(
            id=row["id"],
            merchant_id=row["merchant_id"],
            name=row["name"],
            scopes=tuple(row["scopes"]),
            created_ms=row["created_ms"],
            revoked_ms=row["revoked_ms"],
            secrets=() if row["revoked_ms"] is not None else tuple(secrets[row["id"]]),
        )
        for row in rows
    ]


async def exchange_secret(
    connection: AsyncConnection, key: ApiKey, digest: bytes, hint: str, now_ms: int
) -> None:
    """Give a key another secret: the newest lives on for a day, older ones end now."""
    table = api_key_secrets.c
    of_key = (table.merchant_id == key.merchant_id, table.key_id == key.id)
    await connection.execute(
        update(api_key_secrets)
        .where(*of_key, table.until_ms.is_not(None), table.until_ms > now_ms)
        .values(until_ms=now_ms)
    )
    await connection.execute(
        update(api_key_secrets)
        .where(*of_key, table.until_ms.is_(None))
        .values(until_ms=now_ms + OVERLAP_MS)
    )
    await _insert_secret(connection, key.merchant_id, key.id, digest, hint, now_ms)
    await raise_epoch(connection, EPOCH)


async def revoke_key(
    connection: AsyncConnection, merchant_id: str, key_id: str, now_ms: int
) -> bool:
    """Revoke a key; False if there is none that isn't revoked."""
    changed = await connection.execute(
        update(api_keys)
        .where(
            api_keys.c.merchant_id == merchant_id,
            api_keys.c.id == key_id,
            api_keys.c.revoked_ms.is_(None),
        )
        .values(revoked_ms=now_ms)
    )
    if changed.rowcount:
        await raise_epoch(connection, EPOCH)
    return bool(changed.rowcount)
