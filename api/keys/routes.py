"""API keys of a merchant: made, listed, exchanged and revoked by its managers."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.epoch import settle
from api.amounts import format_time
from api.db.session import in_transaction
from api.errors import NotFound
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.keys import desk, store
from api.keys.model import ApiKey
from api.keys.schemas import IssuedKey, KeysQuery, KeyView, NewKeyBody, SecretView
from api.request_log.store import last_uses

PATH: Final = "/api/v1/api-keys"
LIST: Final = "listApiKeys"


def _view(key: ApiKey, *, livemode: bool, last_used_ms: int | None = None) -> KeyView:
    secrets = [
        SecretView(
            secret.hint,
            format_time(secret.created_ms),
            None if secret.until_ms is None else format_time(secret.until_ms),
        )
        for secret in key.secrets
    ]
    return KeyView(
        key.id,
        key.name,
        list(key.scopes),
        livemode,
        format_time(key.created_ms),
        None if key.revoked_ms is None else format_time(key.revoked_ms),
        None if last_used_ms is None else format_time(last_used_ms),
        secrets,
    )


async def create_key(call: ApiCall) -> Reply:
    """Make a key; its secret stands in this answer alone."""
    service, body, livemode = call.service, call.body, call.service.config.livemode

    async def work(connection: AsyncConnection) -> Reply:
        key, secret = await desk.issue(
            connection,
            call.merchant_id,
            body.name,
            body.scopes,
            service.now_ms(),
            livemode=livemode,
        )
        issued = IssuedKey(_view(key, livemode=livemode), secret)
        return Reply(issued, 201, {"Location": f"{PATH}/{key.id}"})

    return await service.answers.once(call.once, work)


async def list_keys(call: ApiCall) -> Listing[KeyView]:
    """List the merchant's keys, newest first."""
    service, query, livemode = call.service, call.query, call.service.config.livemode
    after = service.cursors.read(query.cursor, LIST, call.merchant_id)
    async with service.engine.connect() as connection:
        keys = await store.list_keys(
            connection,
            call.merchant_id,
            str(after[0]) if after else "",
            query.limit + 1,
            service.now_ms(),
        )
        uses = await last_uses(connection, call.merchant_id, [key.id for key in keys])
    return service.cursors.page(
        keys,
        query.limit,
        lambda key: (key.id,),
        lambda key: _view(key, livemode=livemode, last_used_ms=uses.get(key.id)),
        LIST,
        call.merchant_id,
    )


async def read_key(call: ApiCall) -> KeyView:
    """Give a key; another merchant's is not found."""
    service, key_id = call.service, call.path["keyId"]
    async with service.engine.connect() as connection:
        key = await store.find_key(connection, call.merchant_id, key_id, service.now_ms())
        uses = await last_uses(connection, call.merchant_id, [key_id])
    if key is None:
        raise NotFound("there is no such key")
    return _view(key, livemode=service.config.livemode, last_used_ms=uses.get(key_id))


async def rotate_key(call: ApiCall) -> Reply:
    """Exchange a key's secret; the one before lives on for a day."""
    service, livemode = call.service, call.service.config.livemode

    async def work(connection: AsyncConnection) -> Reply:
        key, secret = await desk.rotate(
            connection, call.merchant_id, call.path["keyId"], service.now_ms(), livemode=livemode
        )
        return Reply(IssuedKey(_view(key, livemode=livemode), secret), 200)

    reply = await service.answers.once(call.once, work)
    await settle()
    return reply


async def revoke_key(call: ApiCall) -> KeyView:
    """Revoke a key at once: no request that begins after the answer passes with it."""
    service = call.service
    key = await in_transaction(
        service.engine,
        lambda connection: desk.revoke(
            connection, call.merchant_id, call.path["keyId"], service.now_ms()
        ),
    )
    await settle()
    return _view(key, livemode=service.config.livemode)


ROUTES: Final = (
    Route(
        method="POST",
        path=PATH,
        operation="createApiKey",
        summary="Make a key; its secret stands in this answer alone",
        tag="keys",
        handler=create_key,
        body=NewKeyBody,
        answer=IssuedKey,
        status=201,
        idempotency=Idempotency.KEY,
        codes=("TOO_MANY_KEYS",),
    ),
    Route(
        method="GET",
        path=PATH,
        operation=LIST,
        summary="List the merchant's keys, newest first",
        tag="keys",
        handler=list_keys,
        query=KeysQuery,
        answer=Listing[KeyView],
    ),
    Route(
        method="GET",
        path=f"{PATH}/{{keyId}}",
        operation="readApiKey",
        summary="Read a key; another merchant's is not found",
        tag="keys",
        handler=read_key,
        answer=KeyView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path=f"{PATH}/{{keyId}}/rotate",
        operation="rotateApiKey",
        summary="Exchange a key's secret; the one before lives on for a day",
        tag="keys",
        handler=rotate_key,
        answer=IssuedKey,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND", "KEY_REVOKED"),
    ),
    Route(
        method="DELETE",
        path=f"{PATH}/{{keyId}}",
        operation="revokeApiKey",
        summary="Revoke a key at once: no request that begins after the answer passes with it",
        tag="keys",
        handler=revoke_key,
        answer=KeyView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND",),
    ),
)
