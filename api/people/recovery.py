"""Tickets of people who can't get in. The office answers them, with the card in its hand.

No e-mail resets anything: who asks is a stranger until an officer has seen them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.db.tables.people import recovery_requests
from api.errors import NotFound, Throttled
from api.people.means import Actor, Means

OPEN_MAX: Final = 200
"""So many tickets of a union may be open: who floods it keeps nobody from calling."""
RETRY_S: Final = 600


class TicketText(Struct, frozen=True):
    """What somebody told about themselves; it is sealed under the union's key."""

    name: str
    contact: str
    message: str


@dataclass(frozen=True, slots=True)
class RecoveryTicket:
    """A ticket at the office."""

    id: str
    told: TicketText
    created_ms: int


class RecoveryDesk:
    """Takes tickets in, shows them to the office, and closes them."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def open(self, connection: AsyncConnection, union_id: str, told: TicketText) -> str:
        """Write a ticket; give its number. Raise `Throttled` when the office has its hands full."""
        c, now_ms, ticket = recovery_requests.c, self._means.now_ms(), str(ULID())
        is_open = (c.union_id == union_id) & c.closed_ms.is_(None)
        count = await connection.scalar(
            select(func.count()).select_from(recovery_requests).where(is_open)
        )
        if (count or 0) >= OPEN_MAX:
            raise Throttled("the office has many tickets: call or go there", retry_after_s=RETRY_S)
        await self._means.vault.make_key(connection, union_id, union_id)
        key = await self._means.vault.key_of(connection, union_id, union_id)
        sealed = key.seal("recovery_requests", "told", msgspec.json.encode(told))
        await connection.execute(
            recovery_requests.insert().values(
                union_id=union_id, id=ticket, told=sealed, created_ms=now_ms
            )
        )
        return ticket

    async def list(
        self, connection: AsyncConnection, union_id: str, after: str, limit: int
    ) -> Sequence[RecoveryTicket]:
        """Read a union's open tickets, the oldest first."""
        c = recovery_requests.c
        is_open = (c.union_id == union_id) & c.closed_ms.is_(None) & (c.id > after)
        query = select(c.id, c.told, c.created_ms).where(is_open).order_by(c.id).limit(limit)
        rows = (await connection.execute(query)).all()
        if not rows:
            return []
        key = await self._means.vault.key_of(connection, union_id, union_id)
        return [
            RecoveryTicket(
                row.id,
                msgspec.json.decode(
                    key.unseal("recovery_requests", "told", row.told), type=TicketText
                ),
                row.created_ms,
            )
            for row in rows
        ]

    async def close(self, connection: AsyncConnection, actor: Actor, ticket: str) -> None:
        """Close a ticket; raise `NotFound` for one that is not open."""
        c = recovery_requests.c
        at = (c.union_id == actor.union_id) & (c.id == ticket) & c.closed_ms.is_(None)
        closed = update(recovery_requests).where(at)
        done = await connection.execute(
            closed.values(closed_ms=self._means.now_ms(), closed_by=actor.user_id)
        )
        if done.rowcount != 1:
            raise NotFound("there is no such open ticket")
