"""What is remembered of requests: the answers that keys were given, and rates."""

from typing import Final

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, Table

from api.db.tables.columns import json, metadata, raw, whole, words

idempotent_answers: Final = Table(
    "idempotent_answers",
    metadata,
    words("principal", 80),
    words("key", 255),
    raw("fingerprint"),
    Column("status", Integer, nullable=False),
    json("headers"),
    raw("body"),
    whole("created_ms"),
    PrimaryKeyConstraint("principal", "key"),
    Index("idempotent_answers_by_age", "created_ms"),
)
"""The answers that requests of every resource were given, sealed."""

rate_windows: Final = Table(
    "rate_windows",
    metadata,
    words("subject", 80),
    whole("minute"),
    whole("count"),
    whole("granted", default="0"),
    PrimaryKeyConstraint("subject", "minute"),
)
"""Requests of one subject that passed in one minute; two of them make a sliding window.

`granted` is what the last statement let pass: it is written there to be given back.
"""
