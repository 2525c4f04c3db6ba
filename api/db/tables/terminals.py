"""Tills and the shifts at them. Every key begins with the merchant."""

from typing import Final

from sqlalchemy import Column, Index, Integer, Table, text

from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.terminals.model import TerminalState

terminals: Final = Table(
    "terminals",
    metadata,
    ulid("merchant_id", primary_key=True),
    ulid("id", primary_key=True),
    ulid("union_id"),
    words("label", 40),
    words("letter", 1),
    words("state", 16),
    Column("token_version", Integer, nullable=False, server_default="1"),
    raw("pairing_index", nullable=True),
    raw("commitment", nullable=True),
    raw("server_nonce", nullable=True),
    raw("public_key", nullable=True),
    words("match", 4, server_default=""),
    whole("pairing_expires_ms"),
    whole("created_ms"),
    whole("paired_ms", nullable=True),
    one_of("state", TerminalState),
    Index("terminals_by_code", "pairing_index", postgresql_where=text("state = 'pairing'")),
    Index("terminals_by_id", "id"),
)
"""A till. `pairing_index` finds it by its code; it is taken away when the code is used."""

cashier_sessions: Final = Table(
    "cashier_sessions",
    metadata,
    ulid("merchant_id", primary_key=True),
    ulid("id", primary_key=True),
    ulid("union_id"),
    ulid("terminal_id"),
    ulid("user_id"),
    whole("opened_ms"),
    whole("ended_ms", nullable=True),
    whole("stepped_up_sen", default="0"),
    Index(
        "cashier_sessions_open",
        "merchant_id",
        "terminal_id",
        unique=True,
        postgresql_where=text("ended_ms IS NULL"),
    ),
)
"""A shift: one at a time at a till."""
