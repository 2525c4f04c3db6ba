"""Transactions that were seen for orders, or came to a merchant's account."""

from typing import Final

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, Table, text

from api.db.tables.columns import json, metadata, one_of, raw, ulid, whole, words
from api.payments.model import Outcome, PaymentState

payments: Final = Table(
    "payments",
    metadata,
    raw("tx_hash"),
    ulid("merchant_id"),
    ulid("order_id", nullable=True),
    whole("units"),
    json("basket"),
    words("state", 16),
    words("outcome", 24, nullable=True),
    words("code", 64, server_default=""),
    whole("delta_units", default="0"),
    words("settlement", 16, server_default="unsettled"),
    whole("refunded_units", default="0"),
    whole("valid_until_height"),
    raw("raw", nullable=True),
    whole("height", nullable=True),
    raw("block_hash", nullable=True),
    whole("created_ms"),
    whole("seen_ms", nullable=True),
    whole("confirmed_ms", nullable=True),
    words("trace", 55, server_default=""),
    PrimaryKeyConstraint("tx_hash", "merchant_id"),
    one_of("state", PaymentState),
    one_of("outcome", Outcome),
    CheckConstraint("(state = 'finalised') = (outcome IS NOT NULL)", name="outcome_when_final"),
    CheckConstraint("(state = 'seen') = (raw IS NOT NULL)", name="bytes_while_on_its_way"),
    Index("payments_of_order", "merchant_id", "order_id"),
    Index("payments_of_merchant", "merchant_id", "created_ms", "tx_hash"),
    Index("payments_on_their_way", "seen_ms", postgresql_where=text("state = 'seen'")),
)
"""A transaction. It belongs to one order for ever, or to none until it is assigned.

The signed bytes are kept while it is on its way, to be handed in again, and not a moment longer.
`trace` is that of the request that brought it, for events of what becomes of it.
"""
