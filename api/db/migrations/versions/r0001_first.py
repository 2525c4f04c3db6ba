"""The first tables: merchants, orders, intents, payments, lots, outbox, follower, limits."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def _make_catalogue() -> None:
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "follower_cursor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("chain_id", sa.LargeBinary(), nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "lots",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("plant", sa.String(length=64), nullable=False),
        sa.Column("minted_units", sa.BigInteger(), nullable=False),
        sa.Column("remaining_units", sa.BigInteger(), nullable=False),
        sa.Column("reserved_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "merchants",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("payout", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "prices",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("litre_sen", sa.BigInteger(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "products",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name_en", sa.String(length=80), nullable=False),
        sa.Column("name_ms", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("price_sen", sa.BigInteger(), nullable=False),
        sa.Column("redeem_units", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _make_keys_and_limits() -> None:
    op.create_table(
        "rate_windows",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "minute"),
    )
    op.create_table(
        "api_keys",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.String(length=32)), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.PrimaryKeyConstraint("merchant_id", "key"),
    )
    op.create_index("idempotency_by_age", "idempotency_keys", ["created_ms"], unique=False)


def _make_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("product_id", sa.String(length=32), nullable=False),
        sa.Column("price_id", sa.String(length=26), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("amount_sen", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("exception", sa.String(length=16), nullable=True),
        sa.Column("delta_units", sa.BigInteger(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("paid_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('draft', 'awaiting_payment', 'paid', 'fulfilled', 'expired', 'cancelled', "
            "'partially_refunded', 'refunded')",
            name="state_known",
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.ForeignKeyConstraint(
            ["price_id"],
            ["prices.id"],
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("orders_of_merchant", "orders", ["merchant_id", "id"], unique=False)
    op.create_index(
        "orders_open",
        "orders",
        ["expires_ms"],
        unique=False,
        postgresql_where=sa.text("state = 'awaiting_payment'"),
    )


def _make_payments() -> None:
    op.create_table(
        "payment_intents",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("amount_sen", sa.BigInteger(), nullable=False),
        sa.Column("amount_units", sa.BigInteger(), nullable=False),
        sa.Column("redeem_lot", sa.LargeBinary(), nullable=False),
        sa.Column("redeem_units", sa.BigInteger(), nullable=False),
        sa.Column("payout", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "state IN ('requires_payment', 'submitted', 'succeeded', 'failed', 'expired', "
            "'cancelled')",
            name="state_known",
        ),
        sa.CheckConstraint("amount_units >= redeem_units AND redeem_units > 0", name="quote_sound"),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id"),
        sa.UniqueConstraint("reference"),
    )
    op.create_table(
        "payments",
        sa.Column("tx_hash", sa.LargeBinary(), nullable=False),
        sa.Column("order_id", sa.String(length=26), nullable=False),
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("payer", sa.LargeBinary(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("redeem_units", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("code", sa.String(length=64), server_default="", nullable=False),
        sa.Column("delta_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("settlement", sa.String(length=16), server_default="unsettled", nullable=False),
        sa.Column("refunded_units", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.LargeBinary(), nullable=True),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'finalised') = (outcome IS NOT NULL)", name="outcome_when_final"
        ),
        sa.CheckConstraint("state IN ('seen', 'included', 'finalised')", name="state_known"),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("tx_hash"),
    )
    op.create_index("payments_of_order", "payments", ["order_id"], unique=False)


def upgrade() -> None:
    """Make the tables."""
    _make_catalogue()
    _make_keys_and_limits()
    _make_orders()
    _make_payments()


def downgrade() -> None:
    """Drop the tables."""
    op.drop_index("payments_of_order", table_name="payments")
    op.drop_table("payments")
    op.drop_table("payment_intents")
    op.drop_index(
        "orders_open", table_name="orders", postgresql_where=sa.text("state = 'awaiting_payment'")
    )
    op.drop_index("orders_of_merchant", table_name="orders")
    op.drop_table("orders")
    op.drop_index("idempotency_by_age", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("api_keys")
    op.drop_table("rate_windows")
    op.drop_table("products")
    op.drop_table("prices")
    op.drop_table("merchants")
    op.drop_table("lots")
    op.drop_table("follower_cursor")
    op.drop_table("events")
