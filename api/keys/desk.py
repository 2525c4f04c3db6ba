"""What managers and operators do with keys: make, exchange, revoke.

Each act is one transaction of the caller. Revoking and exchanging raise the keys' epoch; the caller
lets it settle before it says that it is done.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.errors import Conflict, NotFound
from api.keys import store
from api.keys.model import HINT_CHARS, KEYS_MAX, ApiKey, KeySecret, key_digest, new_key


async def issue(
    connection: AsyncConnection,
    merchant_id: str,
    name: str,
    scopes: Sequence[str],
    now_ms: int,
    *,
    livemode: bool,
) -> tuple[ApiKey, str]:
    """Make a key; give it and its secret, which nobody can give again."""
    if await store.count_keys(connection, merchant_id) >= KEYS_MAX:
        raise Conflict(f"a merchant has at most {KEYS_MAX} keys", code="TOO_MANY_KEYS")
    secret = new_key(livemode=livemode)
    key = ApiKey(
        id=str(ULID.from_timestamp(now_ms)),
        merchant_id=merchant_id,
        name=name,
        scopes=tuple(sorted(set(scopes))),
        created_ms=now_ms,
        revoked_ms=None,
        secrets=(KeySecret(secret[-HINT_CHARS:], now_ms, None),),
    )
    await store.insert_key(connection, key, key_digest(secret), secret[-HINT_CHARS:])
    return key, secret


async def rotate(
    connection: AsyncConnection, merchant_id: str, key_id: str, now_ms: int, *, livemode: bool
) -> tuple[ApiKey, str]:
    """Give a key another secret; the one before lives on for a day."""
    key = await store.find_key(connection, merchant_id, key_id, now_ms, lock=True)
    if key is None:
        raise _no_key()
    if key.revoked_ms is not None:
        raise Conflict("the key was revoked: make a new one", code="KEY_REVOKED")
    secret = new_key(livemode=livemode)
    await store.exchange_secret(connection, key, key_digest(secret), secret[-HINT_CHARS:], now_ms)
    after = await store.find_key(connection, merchant_id, key_id, now_ms)
    assert after is not None, "it is locked"
    return after, secret


async def revoke(connection: AsyncConnection, merchant_id: str, key_id: str, now_ms: int) -> ApiKey:
    """Revoke a key, which may be revoked already; none of its secrets opens a door any more."""
    await store.revoke_key(connection, merchant_id, key_id, now_ms)
    key = await store.find_key(connection, merchant_id, key_id, now_ms)
    if key is None:
        raise _no_key()
    return key


def _no_key() -> NotFound:
    return NotFound("there is no such key")
