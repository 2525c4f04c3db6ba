"""Points of a union's people: entries that are only ever added, balances, and points that wait."""

from typing import Final

from sqlalchemy import Index, PrimaryKeyConstraint, Table, UniqueConstraint

from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.loyalty.model import EntryKind

loyalty_accounts: Final = Table(
    "loyalty_accounts",
    metadata,
    ulid("union_id"),
    ulid("user_id"),
    whole("balance"),
    PrimaryKeyConstraint("union_id", "user_id"),
)
"""A person's points: the sum of their entries, and the row that is locked while they change."""

loyalty_entries: Final = Table(
    "loyalty_entries",
    metadata,
    ulid("union_id"),
    ulid("id"),
    ulid("user_id"),
    words("kind", 16),
    whole("points"),
    ulid("order_id", nullable=True),
    ulid("coupon_id", nullable=True),
    words("note", 200, server_default=""),
    whole("at_ms"),
    PrimaryKeyConstraint("union_id", "id"),
    UniqueConstraint("union_id", "kind", "order_id", name="once_an_order"),
    one_of("kind", EntryKind),
    Index("loyalty_entries_of_user", "union_id", "user_id", "id"),
)
"""Points that came or went. A row is never changed and never deleted: a trigger sees to it."""

waiting_points: Final = Table(
    "waiting_points",
    metadata,
    ulid("union_id"),
    ulid("order_id"),
    ulid("merchant_id"),
    raw("address_index"),
    whole("earned_ms"),
    whole("expires_ms"),
    PrimaryKeyConstraint("union_id", "order_id"),
    Index("waiting_points_of_address", "union_id", "address_index"),
    Index("waiting_points_by_age", "expires_ms"),
)
"""Points of wallets that nobody has linked yet, found by the address's blind index."""
