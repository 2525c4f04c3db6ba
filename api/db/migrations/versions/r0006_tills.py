"""Wallets, tickets, notices, tills, and what takes two people."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"


def _make_wallet_links() -> None:
    op.create_table(
        "wallet_links",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("address_index", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("linked_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'proven', 'active', 'removed', 'replaced')", name="state_known"
        ),
        sa.PrimaryKeyConstraint("union_id", "id"),
    )
    op.create_index(
        "wallet_links_by_address", "wallet_links", ["union_id", "address_index"], unique=False
    )
    op.create_index("wallet_links_of_user", "wallet_links", ["union_id", "user_id"], unique=False)


def _make_recovery_requests() -> None:
    op.create_table(
        "recovery_requests",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("closed_ms", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(length=26), nullable=True),
        sa.PrimaryKeyConstraint("union_id", "id"),
    )
    op.create_index(
        "recovery_requests_open",
        "recovery_requests",
        ["union_id", "id"],
        unique=False,
        postgresql_where=sa.text("closed_ms IS NULL"),
    )


def _make_notices() -> None:
    op.create_table(
        "notices",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("ref_id", sa.String(length=26), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("union_id", "user_id", "id"),
    )


def _make_terminals() -> None:
    op.create_table(
        "terminals",
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("label", sa.String(length=40), nullable=False),
        sa.Column("letter", sa.String(length=1), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("token_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("pairing_index", sa.LargeBinary(), nullable=True),
        sa.Column("commitment", sa.LargeBinary(), nullable=True),
        sa.Column("server_nonce", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("match", sa.String(length=4), server_default="", nullable=False),
        sa.Column("pairing_expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("paired_ms", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pairing', 'active', 'locked', 'revoked')", name="state_known"
        ),
        sa.PrimaryKeyConstraint("merchant_id", "id"),
    )
    op.create_index(
        "terminals_by_code",
        "terminals",
        ["pairing_index"],
        unique=False,
        postgresql_where=sa.text("state = 'pairing'"),
    )
    op.create_index("terminals_by_id", "terminals", ["id"], unique=False)


def _make_cashier_sessions() -> None:
    op.create_table(
        "cashier_sessions",
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("terminal_id", sa.String(length=26), nullable=False),
        sa.Column("user_id", sa.String(length=26), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("stepped_up_sen", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("merchant_id", "id"),
    )
    op.create_index(
        "cashier_sessions_open",
        "cashier_sessions",
        ["merchant_id", "terminal_id"],
        unique=True,
        postgresql_where=sa.text("ended_ms IS NULL"),
    )


def _make_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("union_id", sa.String(length=26), nullable=False),
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject_id", sa.String(length=26), nullable=False),
        sa.Column("merchant_id", sa.String(length=26), nullable=False),
        sa.Column("wish", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_by", sa.String(length=26), nullable=False),
        sa.Column("requested_ms", sa.BigInteger(), nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_by", sa.String(length=26), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.CheckConstraint(
            "kind IN ('role_grant', 'wallet_rebind', 'payout_change')", name="kind_known"
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'applied', 'failed', 'rejected', 'expired')",
            name="state_known",
        ),
        sa.PrimaryKeyConstraint("union_id", "id"),
    )
    op.create_index(
        "approvals_ripe",
        "approvals",
        ["not_before_ms"],
        unique=False,
        postgresql_where=sa.text("state = 'approved'"),
    )


def upgrade() -> None:
    """Make the tables."""
    _make_wallet_links()
    _make_recovery_requests()
    _make_notices()
    _make_terminals()
    _make_cashier_sessions()
    _make_approvals()


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("approvals")
    op.drop_table("cashier_sessions")
    op.drop_table("terminals")
    op.drop_table("notices")
    op.drop_table("recovery_requests")
    op.drop_table("wallet_links")
