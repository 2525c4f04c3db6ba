"""Refunds, and the packs that came back with them."""

from typing import Final

from sqlalchemy import Boolean, CheckConstraint, Column, Index, PrimaryKeyConstraint, Table, text

from api.db.tables.columns import metadata, one_of, raw, ulid, whole, words
from api.refunds.model import RefundReason, RefundState

refunds: Final = Table(
    "refunds",
    metadata,
    ulid("merchant_id"),
    ulid("id"),
    ulid("order_id", nullable=True),
    raw("tx_hash"),
    whole("units"),
    whole("amount_sen", nullable=True),
    words("reason", 24),
    words("state", 16),
    Column("automatic", Boolean, nullable=False),
    words("requested_by", 80),
    raw("refund_tx", nullable=True),
    words("code", 64, server_default=""),
    words("detail", 500, server_default=""),
    whole("created_ms"),
    whole("ended_ms", nullable=True),
    PrimaryKeyConstraint("merchant_id", "id"),
    one_of("state", RefundState),
    one_of("reason", RefundReason),
    CheckConstraint("units > 0", name="something_goes_back"),
    Index("refunds_of_payment", "merchant_id", "tx_hash"),
    Index(
        "refunds_on_their_way",
        "merchant_id",
        "order_id",
        postgresql_where=text("state IN ('pending', 'submitted')"),
    ),
)
"""Money that goes back for one payment, in the units that were paid."""

returned_packs: Final = Table(
    "returned_packs",
    metadata,
    ulid("merchant_id"),
    ulid("refund_id"),
    raw("lot"),
    words("kind", 32),
    whole("pack_units"),
    whole("packs"),
    whole("packs_left"),
    whole("expires_ms"),
    PrimaryKeyConstraint("merchant_id", "refund_id", "lot", "pack_units"),
    CheckConstraint("packs_left BETWEEN 0 AND packs", name="packs_sold_once"),
    Index("returned_packs_left", "merchant_id", "kind", postgresql_where=text("packs_left > 0")),
)
"""Packs whose milk was burned and that are on the shelf again, by what they came back with.

`packs_left` are sold first, by orders that redeem nothing: so the merchant gets back what it gave
back for milk that was burned, and books and shelf agree.
"""
