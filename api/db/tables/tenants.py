"""Unions; their merchants stand in `api.db.tables.catalogue`."""

from typing import Final

from sqlalchemy import Table

from api.db.tables.columns import metadata, raw, ulid, whole, words

unions: Final = Table(
    "unions",
    metadata,
    ulid("id", primary_key=True),
    words("name", 80, unique=True),
    words("known_as", 80, nullable=True, unique=True),
    words("office", 200),
    words("telephone", 40),
    words("email", 120),
    words("hours", 120),
    words("developer_contact", 120),
    raw("float_account", nullable=True),
    whole("created_ms"),
)
"""Who opens accounts, where help is found, and the account that pays for the union.

`known_as` is what the configuration calls it, whatever it is named by now.
"""
