"""Data keys: one an owner, wrapped in the database, remembered here for a minute.

A key is remembered once it is older than any transaction gets: one that was made in a transaction
that is then rolled back, and remembered, would seal what nobody can open. To delete a row of
`data_keys` is to shred all that its owner's columns hold, within `REMEMBERED_S`.
"""

from collections.abc import Callable
from time import monotonic
from typing import Final

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.tables.vault import data_keys
from api.vault.blind import Purpose, blind_index
from api.vault.files import ApiSecrets
from api.vault.sealing import DataKey, draw_data_key, master_of, unwrap, wrap

REMEMBERED_MAX: Final = 10_000
REMEMBERED_S: Final = 60.0
SETTLED_MS: Final = 120_000
"""Older than any transaction that could still be rolled back."""
REWRAP_ROWS: Final = 500


class Shredded(LookupError):
    """An owner without a data key: what was sealed with it is gone for good."""


class Vault:
    """Seals, opens and indexes on behalf of the stores."""

    def __init__(self, secrets: ApiSecrets, now_ms: Callable[[], int]) -> None:
        self._secrets = secrets
        self._now_ms = now_ms
        self._remembered: dict[tuple[str, str], tuple[float, DataKey]] = {}

    def index(self, purpose: Purpose, value: bytes) -> bytes:
        """Give the blind index of a value."""
        return blind_index(self._secrets.index, purpose, value)

    async def make_key(self, connection: AsyncConnection, union_id: str, owner: str) -> None:
        """Give an owner a data key, unless there is one."""
        wrapped = wrap(self._secrets.masters, draw_data_key(owner))
        row = insert(data_keys).values(
            union_id=union_id, owner=owner, version=1, wrapped=wrapped, created_ms=self._now_ms()
        )
        await connection.execute(row.on_conflict_do_nothing())

    async def key_of(self, connection: AsyncConnection, union_id: str, owner: str) -> DataKey:
        """Give an owner's data key; raise `Shredded` if there is none."""
        place, now_s = (union_id, owner), monotonic()
        found = self._remembered.get(place)
        if found is not None and found[0] > now_s:
            return found[1]
        c = data_keys.c
        query = select(c.version, c.wrapped, c.created_ms).where(
            (c.union_id == union_id) & (c.owner == owner)
        )
        row = (await connection.execute(query)).first()
        if row is None:
            self._remembered.pop(place, None)
            raise Shredded(owner)
        key = unwrap(self._secrets.masters, owner, row.version, row.wrapped)
        if row.created_ms < self._now_ms() - SETTLED_MS:
            if len(self._remembered) >= REMEMBERED_MAX:
                self._remembered.clear()
            self._remembered[place] = (now_s + REMEMBERED_S, key)
        return key


async def rewrap(secrets: ApiSecrets, engine: AsyncEngine) -> int:
    """Wrap every data key under the newest master key, some at a time; give how many were not."""
    newest, count, after = max(secrets.masters), 0, ("", "")
    c = data_keys.c
    while True:
        async with engine.begin() as connection:
            page = (
                select(c.union_id, c.owner, c.version, c.wrapped)
                .where(tuple_(c.union_id, c.owner) > tuple_(*after))
                .order_by(c.union_id, c.owner)
                .limit(REWRAP_ROWS)
                .with_for_update()
            )
            rows = (await connection.execute(page)).all()
            if not rows:
                return count
            after = (rows[-1].union_id, rows[-1].owner)
            for row in rows:
                if master_of(row.wrapped) == newest:
                    continue
                key = unwrap(secrets.masters, row.owner, row.version, row.wrapped)
                at = (c.union_id == row.union_id) & (c.owner == row.owner)
                wrapped = wrap(secrets.masters, key)
                await connection.execute(data_keys.update().where(at).values(wrapped=wrapped))
                count += 1
