"""What must be signed for merchants and unions, and who signs for them."""

from typing import Final

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, Table, text

from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.signing.model import SigningState

signers: Final = Table("signers", metadata, raw("account", primary_key=True), whole("seen_ms"))
"""When the signer of an account last asked for work."""

signing_requests: Final = Table(
    "signing_requests",
    metadata,
    ulid("owner_id"),
    ulid("id"),
    raw("account"),
    words("kind", 16),
    raw("what"),
    ulid("ref_id"),
    words("state", 16),
    whole("created_ms"),
    whole("expires_ms"),
    whole("leased_until_ms", default="0"),
    raw("raw", nullable=True),
    raw("tx_hash", nullable=True),
    whole("nonce", nullable=True),
    whole("valid_until_height", nullable=True),
    whole("submitted_ms", nullable=True),
    whole("ended_ms", nullable=True),
    words("code", 64, server_default=""),
    words("detail", 500, server_default=""),
    PrimaryKeyConstraint("owner_id", "id"),
    one_of("state", SigningState),
    CheckConstraint(
        "(raw IS NOT NULL) = (state IN ('signed', 'submitted'))", name="bytes_while_on_their_way"
    ),
    Index("signing_requests_for", "owner_id", "ref_id"),
    Index("signing_requests_of_account", "account", "id"),
    Index(
        "signing_requests_wanted",
        "account",
        "id",
        postgresql_where=text("state IN ('open', 'leased')"),
    ),
    Index(
        "signing_requests_abroad",
        "account",
        "nonce",
        postgresql_where=text("state IN ('signed', 'submitted')"),
    ),
)
"""A wish to sign, what it is for (`kind`, `ref_id`), and what became of it."""
