"""Endpoints and their secrets in the database. Secrets stand there sealed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.db.tables.catalogue import merchants
from api.db.tables.webhooks import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_secrets,
)
from api.vault.data_keys import Vault
from api.webhooks.model import OVERLAP_MS, Endpoint, EndpointState, SecretSeen
from api.webhooks.signing import WebhookSecret, unpacked

_E = webhook_endpoints.c
_S = webhook_secrets.c


async def count_endpoints(connection: AsyncConnection, merchant_id: str) -> int:
    """Count a merchant's endpoints; others of its transactions wait to count theirs."""
    await connection.execute(
        select(merchants.c.id).where(merchants.c.id == merchant_id).with_for_update(key_share=True)
    )
    query = select(func.count()).select_from(webhook_endpoints)
    return int(await connection.scalar(query.where(_E.merchant_id == merchant_id)) or 0)


async def insert_endpoint(connection: AsyncConnection, endpoint: Endpoint) -> None:
    """Write a new endpoint: it gets what happens from now on."""
    await connection.execute(
        insert(webhook_endpoints).values(
            merchant_id=endpoint.merchant_id,
            id=endpoint.id,
            url=endpoint.url,
            description=endpoint.description,
            kinds=list(endpoint.kinds),
            state=endpoint.state,
            disabled_why=endpoint.disabled_why,
            seen_seq=await newest_seq(connection, endpoint.merchant_id),
            created_ms=endpoint.created_ms,
        )
    )


async def list_endpoints(
    connection: AsyncConnection, merchant_id: str, before: str, limit: int, now_ms: int
) -> list[Endpoint]:
    """List a merchant's endpoints, newest first, those below an id."""
    query = select(webhook_endpoints).where(_E.merchant_id == merchant_id)
    if before:
        query = query.where(_E.id < before)
    rows = (await connection.execute(query.order_by(_E.id.desc()).limit(limit))).all()
    return await _with_secrets(connection, merchant_id, rows, now_ms)


async def find_endpoint(
    connection: AsyncConnection,
    merchant_id: str,
    endpoint_id: str,
    now_ms: int,
    *,
    lock: bool = False,
) -> Endpoint | None:
    """Read a merchant's endpoint; `lock` holds it until the transaction ends."""
    query = select(webhook_endpoints).where(_E.merchant_id == merchant_id, _E.id == endpoint_id)
    if lock:
        query = query.with_for_update()
    rows = (await connection.execute(query)).all()
    found = await _with_secrets(connection, merchant_id, rows, now_ms)
    return found[0] if found else None


async def _with_secrets(
    connection: AsyncConnection, merchant_id: str, rows: Sequence[Any], now_ms: int
) -> list[Endpoint]:
    secrets: dict[str, list[SecretSeen]] = {row.id: [] for row in rows}
    found = await connection.execute(
        select(_S.endpoint_id, _S.public_key, _S.created_ms, _S.until_ms)
        .where(_S.merchant_id == merchant_id, _S.endpoint_id.in_(secrets))
        .where(_S.until_ms.is_(None) | (_S.until_ms > now_ms))
        .order_by(_S.id.desc())
    )
    for endpoint_id, public_key, created_ms, until_ms in found:
        secrets[endpoint_id].append(SecretSeen(public_key, created_ms, until_ms))
    return [
        Endpoint(
            id=row.id,
            merchant_id=row.merchant_id,
            url=row.url,
            description=row.description,
            kinds=tuple(row.kinds),
            state=EndpointState(row.state),
            disabled_why=row.disabled_why,
            failing_since_ms=row.failing_since_ms,
            created_ms=row.created_ms,
            secrets=tuple(secrets[row.id]),
        )
        for row in rows
    ]


async def change_endpoint(
    connection: AsyncConnection, endpoint: Endpoint, changes: dict[str, object]
) -> None:
    """Write members of an endpoint that the caller has locked."""
    if changes:
        await connection.execute(
            webhook_endpoints.update()
            .where(_E.merchant_id == endpoint.merchant_id, _E.id == endpoint.id)
            .values(**changes)
        )


async def newest_seq(connection: AsyncConnection, merchant_id: str) -> int:
    """Give the number of a merchant's last event."""
    found = await connection.scalar(
        text("SELECT seq FROM merchant_sequences WHERE merchant_id = :merchant"),
        {"merchant": merchant_id},
    )
    return int(found or 0)


async def delete_endpoint(connection: AsyncConnection, endpoint: Endpoint) -> None:
    """Delete an endpoint, its secrets, and what became of its deliveries."""
    for table in (webhook_attempts, webhook_deliveries, webhook_secrets):
        await connection.execute(
            table.delete().where(
                table.c.merchant_id == endpoint.merchant_id, table.c.endpoint_id == endpoint.id
            )
        )
    await connection.execute(
        webhook_endpoints.delete().where(
            _E.merchant_id == endpoint.merchant_id, _E.id == endpoint.id
        )
    )


async def insert_secret(
    connection: AsyncConnection,
    vault: Vault,
    endpoint: Endpoint,
    secret_id: str,
    secret: WebhookSecret,
    now_ms: int,
) -> None:
    """Give an endpoint another secret: the newest signs for a day more, older ones end now."""
    of_endpoint = (_S.merchant_id == endpoint.merchant_id, _S.endpoint_id == endpoint.id)
    await connection.execute(
        webhook_secrets.update()
        .where(*of_endpoint, _S.until_ms.is_not(None), _S.until_ms > now_ms)
        .values(until_ms=now_ms)
    )
    await connection.execute(
        webhook_secrets.update()
        .where(*of_endpoint, _S.until_ms.is_(None))
        .values(until_ms=now_ms + OVERLAP_MS)
    )
    union_id = await _union_of(connection, endpoint.merchant_id)
    await vault.make_key(connection, union_id, endpoint.merchant_id)
    key = await vault.key_of(connection, union_id, endpoint.merchant_id)
    await connection.execute(
        insert(webhook_secrets).values(
            merchant_id=endpoint.merchant_id,
            endpoint_id=endpoint.id,
            id=secret_id,
            sealed=key.seal("webhook_secrets", "sealed", secret.packed()),
            public_key=secret.public_text,
            created_ms=now_ms,
        )
    )


async def secrets_in_force(
    connection: AsyncConnection, vault: Vault, merchant_id: str, endpoint_id: str, now_ms: int
) -> list[WebhookSecret]:
    """Open the secrets that an endpoint's deliveries are signed with, the newest first."""
    rows = await connection.execute(
        select(_S.sealed)
        .where(_S.merchant_id == merchant_id, _S.endpoint_id == endpoint_id)
        .where(_S.until_ms.is_(None) | (_S.until_ms > now_ms))
        .order_by(_S.id.desc())
    )
    sealed = [row.sealed for row in rows]
    if not sealed:
        return []
    key = await vault.key_of(connection, await _union_of(connection, merchant_id), merchant_id)
    return [unpacked(key.unseal("webhook_secrets", "sealed", one)) for one in sealed]


async def _union_of(connection: AsyncConnection, merchant_id: str) -> str:
    found = await connection.scalar(
        select(merchants.c.union_id).where(merchants.c.id == merchant_id)
    )
    return str(found)
