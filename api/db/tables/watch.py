"""Minutes of the service, and what has to be looked after."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, text

from api.alerts.model import AlertKind, AlertState
from api.db.tables.columns import metadata, one_of, ulid, whole, words

status_minutes: Final = Table(
    "status_minutes",
    metadata,
    Column("minute_ms", BigInteger, primary_key=True, autoincrement=False),
    words("part", 32),
)
"""A row a minute: the part that did not work in it, or nothing."""

alerts: Final = Table(
    "alerts",
    metadata,
    ulid("union_id"),
    ulid("id"),
    words("merchant_id", 26),
    words("kind", 32),
    words("subject", 32),
    words("state", 16),
    whole("raised_ms"),
    words("acknowledged_by", 26, server_default=""),
    whole("acknowledged_ms", nullable=True),
    whole("over_ms", nullable=True),
    PrimaryKeyConstraint("union_id", "id"),
    one_of("kind", AlertKind),
    one_of("state", AlertState),
    Index(
        "alerts_standing",
        "union_id",
        "merchant_id",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("state <> 'over'"),
    ),
)
"""What somebody has to look after; of one trouble one stands at a time."""
