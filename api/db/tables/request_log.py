"""The request log. It is not written ahead: after a crash of the database it begins empty."""

from typing import Final

from sqlalchemy import Boolean, Column, Integer, PrimaryKeyConstraint, Table, Text

from api.db.tables.columns import json, metadata, ulid, whole, words

request_log: Final = Table(
    "request_log",
    metadata,
    ulid("merchant_id"),
    ulid("key_id"),
    ulid("id"),
    words("request_id", 64),
    whole("at_ms"),
    words("method", 8),
    Column("path", Text, nullable=False),
    Column("query", Text, nullable=False),
    json("headers"),
    Column("body", Text),
    Column("body_cut", Boolean, nullable=False),
    Column("status", Integer, nullable=False),
    words("code", 64),
    json("errors"),
    Column("took_ms", Integer, nullable=False),
    PrimaryKeyConstraint("merchant_id", "key_id", "id"),
    prefixes=["UNLOGGED"],
)
"""What a key has asked lately. Ids rise with the time, so the newest are the greatest."""
