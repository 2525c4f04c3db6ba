"""How much a union gives away in any 30 days, changed by two people."""

from alembic import op

revision = "0020"
down_revision = "0019"

_KINDS = (
    "'role_grant', 'wallet_rebind', 'payout_change', 'refund', 'loyalty_adjustment', 'top_up', "
    "'cash_out', 'product_price'"
)


def upgrade() -> None:
    """Make the table, and let limits be wished for."""
    op.execute("""
        CREATE TABLE budgets (
            union_id varchar(26) NOT NULL,
            purpose varchar(16) NOT NULL,
            amount bigint NOT NULL,
            PRIMARY KEY (union_id, purpose),
            CONSTRAINT purpose_known CHECK (purpose IN ('welcomes', 'coupons'))
        )
    """)
    _let_wish(f"{_KINDS}, 'budget'")


def downgrade() -> None:
    """Take it away."""
    op.execute("DELETE FROM approvals WHERE kind = 'budget'")
    _let_wish(_KINDS)
    op.execute("DROP TABLE budgets")


def _let_wish(kinds: str) -> None:
    op.execute("ALTER TABLE approvals DROP CONSTRAINT kind_known")
    op.execute(f"ALTER TABLE approvals ADD CONSTRAINT kind_known CHECK (kind IN ({kinds}))")
