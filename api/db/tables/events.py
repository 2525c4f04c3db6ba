"""The outbox: what happened, numbered merchant by merchant as it became visible."""

from typing import Final

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from api.db.tables.columns import json, metadata, raw, ulid, whole, words

events: Final = Table(
    "events",
    metadata,
    ulid("merchant_id"),
    whole("seq"),
    words("kind", 32),
    words("subject_id", 64),
    raw("tx_hash", nullable=True),
    json("body"),
    whole("at_ms"),
    words("trace", 55, server_default=""),
    PrimaryKeyConstraint("merchant_id", "seq"),
    Index("events_by_age", "merchant_id", "at_ms"),
)
"""What happened to a merchant's orders and payments. Events hold no personal data."""

merchant_sequences: Final = Table(
    "merchant_sequences",
    metadata,
    ulid("merchant_id", primary_key=True),
    whole("seq", default="0"),
    whole("tickets", default="0"),
)
"""A merchant's last event and last ticket. The row is locked last, and until the commit."""
