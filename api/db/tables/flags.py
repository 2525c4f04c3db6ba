"""Flags, and what the operations channel is told."""

from typing import Final

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table, Text, text

from api.db.tables.columns import json, metadata, one_of, ulid, whole, words
from api.flags.model import Detector, FlagState

flags: Final = Table(
    "flags",
    metadata,
    ulid("union_id"),
    ulid("id"),
    words("merchant_id", 26),
    words("detector", 32),
    words("subject", 80),
    words("state", 16),
    Column("score", Integer, nullable=False),
    json("evidence"),
    Column("explanation_en", Text, nullable=False),
    Column("explanation_ms", Text, nullable=False),
    whole("raised_ms"),
    whole("last_ms"),
    whole("noticed_ms"),
    words("decided_by", 26, server_default=""),
    words("reason", 200, server_default=""),
    whole("decided_ms", nullable=True),
    PrimaryKeyConstraint("union_id", "id"),
    one_of("state", FlagState),
    one_of("detector", Detector),
    Index(
        "flags_standing",
        "union_id",
        "merchant_id",
        "detector",
        "subject",
        unique=True,
        postgresql_where=text("state <> 'released'"),
    ),
    Index("flags_on_subject", "subject", postgresql_where=text("state <> 'released'")),
)
"""Something odd about somebody. `merchant_id` is empty for what is the union's."""

ops_notices: Final = Table(
    "ops_notices",
    metadata,
    ulid("union_id"),
    ulid("id"),
    Column("body", Text, nullable=False),
    whole("created_ms"),
    whole("due_ms"),
    Column("tries", Integer, nullable=False, server_default="0"),
    PrimaryKeyConstraint("union_id", "id"),
    Index("ops_notices_due", "due_ms"),
)
"""What the operations channel has not been told yet. A row goes when it has been."""
