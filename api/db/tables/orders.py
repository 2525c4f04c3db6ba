"""Orders, and what must be unique over all merchants."""

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, Integer, PrimaryKeyConstraint, Table, text

from api.db.tables.columns import json, metadata, one_of, raw, ulid, whole, words
from api.orders.model import OrderException, OrderState

orders: Final = Table(
    "orders",
    metadata,
    ulid("id"),
    ulid("merchant_id"),
    words("kind", 16),
    ulid("price_id"),
    json("items"),
    whole("amount_sen"),
    whole("amount_units"),
    whole("redeem_units"),
    raw("reference"),
    raw("payout"),
    json("basket"),
    json("offered"),
    json("returned", default="[]"),
    words("code", 8),
    words("ticket", 8),
    json("metadata"),
    words("state", 24),
    words("exception", 24, nullable=True),
    whole("received_units", default="0"),
    whole("refunded_units", default="0"),
    raw("paying_tx", nullable=True),
    Column("version", Integer, nullable=False, server_default="1"),
    whole("created_ms"),
    whole("expires_ms"),
    whole("paid_ms", nullable=True),
    whole("fulfilled_ms", nullable=True),
    PrimaryKeyConstraint("id", "merchant_id"),
    one_of("state", OrderState),
    one_of("exception", OrderException),
    CheckConstraint("amount_units >= redeem_units AND redeem_units >= 0", name="quote_sound"),
    Index("orders_of_merchant", "merchant_id", "id"),
    Index("orders_open", "expires_ms", postgresql_where=text("state = 'awaiting_payment'")),
    Index("orders_odd", "merchant_id", "id", postgresql_where=text("exception IS NOT NULL")),
)
"""A sale. Items, amounts and reference are the quote: written once, whatever prices do later.

`basket` is what a wallet is told to redeem now, `offered` every lot that it was ever told, by
kind. `returned` are packs that came back and are sold again, with nothing to redeem.
`received_units` sums up all that came in, `paying_tx` is the transaction on its way.
"""

claims: Final = Table(
    "claims",
    metadata,
    words("kind", 16),
    raw("value"),
    ulid("merchant_id"),
    words("subject", 24),
    words("ref_id", 64),
    PrimaryKeyConstraint("kind", "value"),
    Index("claims_by_age", "ref_id", postgresql_where=text("kind = 'code'")),
)
"""What may be there once over all merchants, and whose it is."""
