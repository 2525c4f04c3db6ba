"""API keys, their secrets' digests, and the numbers that rise when something is taken away."""

from typing import Final

from sqlalchemy import Column, Index, PrimaryKeyConstraint, String, Table
from sqlalchemy.dialects.postgresql import ARRAY

from api.db.tables.columns import metadata, raw, ulid, whole, words

api_keys: Final = Table(
    "api_keys",
    metadata,
    ulid("merchant_id"),
    ulid("id"),
    words("name", 80),
    Column("scopes", ARRAY(String(32)), nullable=False),
    whole("created_ms"),
    whole("revoked_ms", nullable=True),
    PrimaryKeyConstraint("merchant_id", "id"),
)
"""What a key may do, and for whom. It outlives its secrets, which are exchanged."""

api_key_secrets: Final = Table(
    "api_key_secrets",
    metadata,
    ulid("merchant_id"),
    ulid("key_id"),
    raw("digest"),
    words("hint", 4),
    whole("created_ms"),
    whole("until_ms", nullable=True),
    PrimaryKeyConstraint("merchant_id", "key_id", "digest"),
    Index("api_key_secrets_by_digest", "digest"),
)
"""The digest of what is sent. One that was exchanged ends at `until_ms`; none is ever deleted,
so that a digest in a configuration can't come back to life."""

epochs: Final = Table("epochs", metadata, words("name", 32, primary_key=True), whole("value"))
"""Numbers that workers compare with what they remember: see `api.access.epoch`."""
