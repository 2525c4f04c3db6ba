"""How far the chain is settled here, as this worker knows.

The worker that follows moves it with every commit, the others read it from the database. It never
goes back.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that is settled here; height 0 and no hash before the first."""

    chain_id: bytes
    height: int
    hash: bytes


NOWHERE: Final = Cursor(b"", 0, b"")


class SettledTip:
    """The cursor, as last heard of."""

    def __init__(self) -> None:
        self.cursor = NOWHERE

    def advance(self, cursor: Cursor) -> None:
        """Take a cursor in, unless it is older than what is known."""
        if not self.cursor.chain_id or cursor.height > self.cursor.height:
            self.cursor = cursor


async def read_cursor(connection: AsyncConnection) -> Cursor:
    """Read how far this database has come."""
    rows = await connection.execute(text("SELECT chain_id, height, hash FROM follower_cursor"))
    row = rows.first()
    return NOWHERE if row is None else Cursor(row.chain_id, row.height, row.hash)
