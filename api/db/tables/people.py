"""People of a union: users, their roles, invitations, sessions, wallets, and what is told to them.

Every key begins with the union. No column holds a name, a card's number, a login or an address in
the clear: they are sealed under the person's data key, and found by blind indexes.
"""

from typing import Final

from sqlalchemy import Column, Index, Integer, Table, text

from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.people.model import LinkState, LoginMethod, UserState

users: Final = Table(
    "users",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("id", primary_key=True),
    words("state", 16),
    Column("token_version", Integer, nullable=False, server_default="1"),
    raw("profile"),
    raw("login_index", nullable=True),
    raw("card_index", nullable=True),
    words("staff_code", 8, nullable=True),
    words("password_hash", 160, nullable=True),
    words("pin_hash", 160, nullable=True),
    whole("created_ms"),
    whole("activated_ms", nullable=True),
    one_of("state", UserState),
    Index("users_by_login", "union_id", "login_index", unique=True),
    Index("users_by_card", "union_id", "card_index", unique=True),
    Index("users_by_staff_code", "union_id", "staff_code", unique=True),
)
"""A person. `token_version` counts up whenever all tokens that are out must end."""

user_roles: Final = Table(
    "user_roles",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("user_id", primary_key=True),
    words("role", 16, primary_key=True),
    ulid("place"),
    whole("granted_ms"),
)
"""What a person is, and where: `place` is the union, or one merchant of it."""

invitations: Final = Table(
    "invitations",
    metadata,
    ulid("union_id", primary_key=True),
    raw("code_index", primary_key=True),
    ulid("user_id"),
    ulid("invited_by"),
    whole("created_ms"),
    whole("expires_ms"),
    whole("used_ms", nullable=True),
    Index("invitations_of_user", "union_id", "user_id"),
)
"""A code that the office has handed out; of one person the newest alone is good."""

sessions: Final = Table(
    "sessions",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("id", primary_key=True),
    ulid("user_id"),
    words("method", 16),
    raw("current"),
    raw("previous", nullable=True),
    whole("rotated_ms"),
    whole("created_ms"),
    whole("expires_ms"),
    whole("ended_ms", nullable=True),
    words("ended_why", 16, nullable=True),
    one_of("method", LoginMethod),
    Index("sessions_of_user", "union_id", "user_id", postgresql_where=text("ended_ms IS NULL")),
    Index("sessions_by_age", "expires_ms"),
)
"""A device's login, and the digests of its newest refresh tokens."""

miss_tallies: Final = Table(
    "miss_tallies",
    metadata,
    ulid("union_id", primary_key=True),
    words("subject", 120, primary_key=True),
    Column("in_a_row", Integer, nullable=False),
    whole("locked_until_ms"),
    whole("day_began_ms"),
    Column("in_the_day", Integer, nullable=False),
)
"""Wrong passwords and PINs, by what was guessed at: `api.people.misses`."""

spent_nonces: Final = Table(
    "spent_nonces",
    metadata,
    ulid("union_id", primary_key=True),
    raw("nonce", primary_key=True),
    whole("expires_ms"),
)
"""Challenges that were answered, until they would be over anyway."""

wallet_links: Final = Table(
    "wallet_links",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("id", primary_key=True),
    ulid("user_id"),
    words("state", 16),
    raw("nonce"),
    raw("address_index", nullable=True),
    raw("address", nullable=True),
    whole("created_ms"),
    whole("expires_ms"),
    whole("linked_ms", nullable=True),
    whole("ended_ms", nullable=True),
    one_of("state", LinkState),
    Index("wallet_links_of_user", "union_id", "user_id"),
    Index("wallet_links_by_address", "union_id", "address_index"),
    Index("wallet_links_newest", "linked_ms", postgresql_where=text("state = 'active'")),
)
"""A wallet of a person. That an address is linked once stands in `claims`."""

recovery_requests: Final = Table(
    "recovery_requests",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("id", primary_key=True),
    raw("told"),
    whole("created_ms"),
    whole("closed_ms", nullable=True),
    ulid("closed_by", nullable=True),
    Index("recovery_requests_open", "union_id", "id", postgresql_where=text("closed_ms IS NULL")),
)
"""Tickets at the office; what was told is sealed under the union's data key."""

notices: Final = Table(
    "notices",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("user_id", primary_key=True),
    ulid("id", primary_key=True),
    words("kind", 32),
    words("ref_id", 26),
    whole("at_ms"),
)
"""What a person's devices are told the next time that they look."""
