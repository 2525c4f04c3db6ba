"""How far the chain is settled here, and who settles it."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Integer, Table

from api.db.tables.columns import metadata, raw, whole, words

follower_cursor: Final = Table(
    "follower_cursor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    raw("chain_id"),
    whole("height"),
    raw("hash"),
    whole("time_ms"),
    CheckConstraint("id = 1", name="one_row"),
)
"""The last finalized block that has been settled here; one row, ever."""

leases: Final = Table(
    "leases",
    metadata,
    words("name", 32, primary_key=True),
    words("owner", 64),
    whole("until_ms"),
)
"""Who does a work that one worker does for all, and until when, by the database's clock."""
