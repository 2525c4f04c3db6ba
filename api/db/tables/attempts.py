"""Payment attempts, and what else the detectors look at."""

from typing import Final

from sqlalchemy import Index, PrimaryKeyConstraint, Table

from api.attempts.model import AttemptOutcome
from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.flags.model import NoteKind

payment_attempts: Final = Table(
    "payment_attempts",
    metadata,
    ulid("merchant_id"),
    raw("tx_hash"),
    ulid("order_id", nullable=True),
    words("subject", 80),
    words("outcome", 24),
    whole("at_ms"),
    whole("told_ms"),
    PrimaryKeyConstraint("merchant_id", "tx_hash"),
    one_of("outcome", AttemptOutcome),
    Index("payment_attempts_by_hash", "tx_hash"),
    Index("payment_attempts_by_age", "told_ms"),
)
"""A transaction that somebody signed to pay with: whose, since when, and its newest outcome.

`subject` is a person's id or an account's blind index: no account stands here in the clear.
"""

watch_notes: Final = Table(
    "watch_notes",
    metadata,
    ulid("merchant_id"),
    ulid("id"),
    words("kind", 24),
    words("subject", 80),
    words("ref", 80),
    whole("at_ms"),
    PrimaryKeyConstraint("merchant_id", "id"),
    one_of("kind", NoteKind),
    Index("watch_notes_by_age", "kind", "at_ms"),
)
"""What leaves no trace of its own: a caller's errors, refused attempts, coupons by device."""
