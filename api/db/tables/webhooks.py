"""Webhooks: where a merchant's events go, what they are signed with, and how each has fared."""

from typing import Final

from sqlalchemy import Column, Index, Integer, PrimaryKeyConstraint, String, Table, text
from sqlalchemy.dialects.postgresql import ARRAY

from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.webhooks.model import DeliveryState, EndpointState

webhook_endpoints: Final = Table(
    "webhook_endpoints",
    metadata,
    ulid("merchant_id"),
    ulid("id"),
    words("url", 500),
    words("description", 120),
    Column("kinds", ARRAY(String(32)), nullable=False),
    words("state", 16),
    words("disabled_why", 32),
    whole("seen_seq"),
    whole("failures", default="0"),
    whole("failing_since_ms", nullable=True),
    whole("rest_until_ms", default="0"),
    whole("created_ms"),
    PrimaryKeyConstraint("merchant_id", "id"),
    one_of("state", EndpointState),
    Index("webhook_endpoints_enabled", "merchant_id", postgresql_where=text("state = 'enabled'")),
)
"""`seen_seq` is the last event of the outbox that was looked at for it."""

webhook_secrets: Final = Table(
    "webhook_secrets",
    metadata,
    ulid("merchant_id"),
    ulid("endpoint_id"),
    ulid("id"),
    raw("sealed"),
    words("public_key", 64),
    whole("created_ms"),
    whole("until_ms", nullable=True),
    PrimaryKeyConstraint("merchant_id", "endpoint_id", "id"),
)
"""What deliveries are signed with: sealed under the merchant's data key."""

webhook_deliveries: Final = Table(
    "webhook_deliveries",
    metadata,
    ulid("merchant_id"),
    ulid("endpoint_id"),
    whole("seq"),
    words("kind", 32),
    words("state", 16),
    Column("tries", Integer, nullable=False),
    whole("next_ms"),
    whole("created_ms"),
    whole("ended_ms", nullable=True),
    PrimaryKeyConstraint("merchant_id", "endpoint_id", "seq"),
    one_of("state", DeliveryState),
    Index(
        "webhook_deliveries_first",
        "merchant_id",
        "endpoint_id",
        "seq",
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "webhook_deliveries_next",
        "merchant_id",
        "endpoint_id",
        "next_ms",
        postgresql_where=text("state = 'pending'"),
    ),
    Index("webhook_deliveries_of_merchant", "merchant_id", "seq"),
    Index("webhook_deliveries_by_age", "created_ms"),
)
"""An event for an endpoint. A replay begins it anew: its name stays, its tries count from none."""

webhook_attempts: Final = Table(
    "webhook_attempts",
    metadata,
    ulid("merchant_id"),
    ulid("endpoint_id"),
    whole("seq"),
    ulid("id"),
    whole("at_ms"),
    Column("took_ms", Integer, nullable=False),
    Column("status", Integer, nullable=True),
    words("code", 32),
    PrimaryKeyConstraint("merchant_id", "endpoint_id", "seq", "id"),
    Index("webhook_attempts_by_age", "at_ms"),
)
"""What became of each try: the receiver's status, or why there is none. Never what it said."""
