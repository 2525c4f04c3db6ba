"""Data keys, wrapped; see `api.vault.data_keys`."""

from typing import Final

from sqlalchemy import Column, Integer, Table

from api.db.tables.columns import metadata, raw, ulid, whole

data_keys: Final = Table(
    "data_keys",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("owner", primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    raw("wrapped"),
    whole("created_ms"),
)
"""An owner's key; to delete the row is to shred what the owner's columns hold."""
