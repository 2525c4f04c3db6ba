"""What must be unique over all merchants, and whose it is."""

from typing import Final

from sqlalchemy import PrimaryKeyConstraint, Table

from api.db.tables.columns import metadata, raw, ulid, words

claims: Final = Table(
    "claims",
    metadata,
    words("kind", 16),
    raw("value"),
    ulid("merchant_id"),
    words("subject", 24),
    words("ref_id", 64),
    PrimaryKeyConstraint("kind", "value"),
)
"""What may be there once over all merchants, and whose it is."""
