"""Wishes that wait for a second person; see `api.approvals.model`."""

from typing import Final

from sqlalchemy import Index, Table, text

from api.approvals.model import ApprovalKind, ApprovalState
from api.db.tables.columns import json, metadata, one_of, ulid, whole, words

approvals: Final = Table(
    "approvals",
    metadata,
    ulid("union_id", primary_key=True),
    ulid("id", primary_key=True),
    words("kind", 24),
    ulid("subject_id"),
    words("merchant_id", 26),
    json("wish"),
    words("state", 16),
    ulid("requested_by"),
    whole("requested_ms"),
    whole("not_before_ms"),
    whole("expires_ms"),
    words("decided_by", 26),
    whole("decided_ms", nullable=True),
    words("code", 64),
    one_of("kind", ApprovalKind),
    one_of("state", ApprovalState),
    Index("approvals_ripe", "not_before_ms", postgresql_where=text("state = 'approved'")),
)
