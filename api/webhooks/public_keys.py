"""The public keys that `v1a` signatures of webhooks are verified with, as a JSON Web Key Set.

A key tells nothing but itself: neither whose endpoint it is of nor where that is. Who shares a
receiver with others, or gets deliveries through a broker, verifies with these and holds no secret.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final

from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.amounts import format_time
from api.db.tables.webhooks import webhook_secrets
from api.http.routes import ApiCall, Route
from api.webhooks.schemas import WebhookKey, WebhookKeySet, WebhookKeysQuery

KEYS_MAX: Final = 1_000
PUBLIC: Final = "whpk_"

_S: Final = webhook_secrets.c


async def keys_in_force(
    connection: AsyncConnection, endpoint_id: str, now_ms: int
) -> Sequence[WebhookKey]:
    """List public keys that sign now, newest first; of one endpoint, if it is named."""
    query = select(_S.id, _S.endpoint_id, _S.public_key, _S.created_ms, _S.until_ms).where(
        _S.until_ms.is_(None) | (_S.until_ms > now_ms)
    )
    if endpoint_id:
        query = query.where(_S.endpoint_id == endpoint_id)
    rows = await connection.execute(query.order_by(_S.id.desc()).limit(KEYS_MAX))
    return [
        WebhookKey(
            kid=row.id,
            x=_url_safe(row.public_key),
            endpoint_id=row.endpoint_id,
            public_key=row.public_key,
            created_at=format_time(row.created_ms),
            expires_at=None if row.until_ms is None else format_time(row.until_ms),
        )
        for row in rows
    ]


def _url_safe(public_text: str) -> str:
    """Write a public key as a JSON Web Key has it."""
    return urlsafe_b64encode(b64decode(public_text.removeprefix(PUBLIC))).decode().rstrip("=")


async def read_keys(call: ApiCall) -> WebhookKeySet:
    """Give the keys that signatures are verified with."""
    service, wanted = call.service, call.query.endpoint_id
    endpoint_id = "" if wanted is UNSET else wanted.upper()
    async with service.engine.connect() as connection:
        found = await keys_in_force(connection, endpoint_id, service.webhooks.now_ms())
    return WebhookKeySet(list(found))


ROUTES: Final = (
    Route(
        method="GET",
        path="/.well-known/webhook-keys.json",
        operation="readWebhookKeys",
        summary="Give the public keys of webhooks' `v1a` signatures: the newest 1,000, or one "
        "endpoint's",
        tag="webhooks",
        handler=read_keys,
        query=WebhookKeysQuery,
        answer=WebhookKeySet,
    ),
)
