"""Reads API keys: the digest of what was sent is looked up, and remembered for a while."""

import time
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from api.access.principals import KeyHolder
from api.errors import Unauthorized
from api.keys.model import KEY_PATTERN, key_digest

REMEMBERED_MAX: Final = 10_000
REMEMBERED_S: Final = 30.0
"""How long a revoked key may still pass in a worker that has just seen it."""


class KeyReader:
    """The gate's reader of API keys."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._holders: dict[bytes, tuple[float, KeyHolder]] = {}

    def reads(self, credential: str) -> bool:
        """Tell whether it looks like a key."""
        return KEY_PATTERN.fullmatch(credential) is not None

    async def principal_of(self, credential: str, request: Request) -> KeyHolder:
        """Give whose key it is; raise `Unauthorized` for one that is unknown or revoked."""
        digest, now = key_digest(credential), time.monotonic()
        found = self._holders.get(digest)
        if found is None or found[0] < now:
            holder = await self._find(digest)
            if holder is None:
                self._holders.pop(digest, None)
                raise Unauthorized("this key is unknown or was revoked")
            if len(self._holders) >= REMEMBERED_MAX:
                self._holders.clear()
            self._holders[digest] = found = (now + REMEMBERED_S, holder)
        return found[1]

    async def _find(self, digest: bytes) -> KeyHolder | None:
        async with self._engine.connect() as connection:
            found = await connection.execute(
                text("""
                    SELECT merchant_id, scopes FROM api_keys
                    WHERE digest = :digest AND revoked_ms IS NULL
                """),
                {"digest": digest},
            )
            row = found.first()
        if row is None:
            return None
        return KeyHolder(
            key_id=digest.hex()[:26],
            merchant_id=row.merchant_id,
            scopes=frozenset(row.scopes),
            livemode=False,
        )
