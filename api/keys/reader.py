"""Reads API keys: a digest is looked up once, and remembered for as long as its epoch lasts."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request

from api.access.epoch import Epoch
from api.access.principals import KeyHolder
from api.errors import Unauthorized
from api.keys.model import EPOCH, KEY_PATTERN, is_live, key_digest
from api.keys.store import find_by_digest

REMEMBERED_MAX: Final = 10_000
FOR_EVER_MS: Final = 2**62


class KeyReader:
    """The gate's reader of API keys."""

    def __init__(self, engine: AsyncEngine, now_ms: Callable[[], int], *, livemode: bool) -> None:
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._now_ms = now_ms
        self._livemode = livemode
        self._epoch = Epoch(engine, EPOCH)
        self._holders: dict[bytes, tuple[int, int, KeyHolder]] = {}

    def reads(self, credential: str) -> bool:
        """Tell whether it looks like a key."""
        return KEY_PATTERN.fullmatch(credential) is not None

    async def principal_of(self, credential: str, request: Request) -> KeyHolder:
        """Give whose key it is; raise `Unauthorized` for one that opens no door here."""
        if is_live(credential) is not self._livemode:
            here = "live" if self._livemode else "test"
            raise Unauthorized(f"this service takes bck_{here}_ keys alone", code="WRONG_MODE")
        digest, epoch = key_digest(credential), await self._epoch.current()
        found = self._holders.get(digest)
        if found is None or found[0] != epoch:
            found = await self._find(digest)
        _, until_ms, holder = found
        if self._now_ms() >= until_ms:
            raise _unknown()
        return holder

    async def _find(self, digest: bytes) -> tuple[int, int, KeyHolder]:
        async with self._reader.connect() as connection:
            row = await find_by_digest(connection, digest)
        if row["id"] is None:
            self._holders.pop(digest, None)
            raise _unknown()
        holder = KeyHolder(
            key_id=row["id"],
            merchant_id=row["merchant_id"],
            scopes=frozenset(row["scopes"]),
            livemode=self._livemode,
        )
        if len(self._holders) >= REMEMBERED_MAX:
            self._holders.clear()
        until_ms = FOR_EVER_MS if row["until_ms"] is None else row["until_ms"]
        self._holders[digest] = found = (row["epoch"], until_ms, holder)
        return found


def _unknown() -> Unauthorized:
    return Unauthorized("this key is unknown or was revoked")
