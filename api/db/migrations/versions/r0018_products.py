"""Products of a merchant's own, before those that all share; their prices by two people."""

from alembic import op

revision = "0018"
down_revision = "0017"

_KINDS = (
    "'role_grant', 'wallet_rebind', 'payout_change', 'refund', 'loyalty_adjustment', "
    "'top_up', 'cash_out'"
)


def upgrade() -> None:
    """Put the merchant into the key."""
    op.execute("ALTER TABLE products ADD COLUMN merchant_id varchar(26) NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE products ALTER COLUMN merchant_id DROP DEFAULT")
    op.execute("ALTER TABLE products DROP CONSTRAINT products_pkey")
    op.execute("ALTER TABLE products ADD PRIMARY KEY (merchant_id, id)")
    _let_wish(f"{_KINDS}, 'product_price'")


def downgrade() -> None:
    """Leave what all merchants share."""
    op.execute("DELETE FROM approvals WHERE kind = 'product_price'")
    _let_wish(_KINDS)
    op.execute("DELETE FROM products WHERE merchant_id <> ''")
    op.execute("ALTER TABLE products DROP CONSTRAINT products_pkey")
    op.execute("ALTER TABLE products DROP COLUMN merchant_id")
    op.execute("ALTER TABLE products ADD PRIMARY KEY (id)")


def _let_wish(kinds: str) -> None:
    op.execute("ALTER TABLE approvals DROP CONSTRAINT kind_known")
    op.execute(f"ALTER TABLE approvals ADD CONSTRAINT kind_known CHECK (kind IN ({kinds}))")
