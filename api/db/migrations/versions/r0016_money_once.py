"""An order has one coupon; what is asked of refunds and signing requests finds its index."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Let no two coupons be of one order, and make the indexes."""
    op.execute("DROP INDEX coupons_of_order")
    op.execute(
        "CREATE UNIQUE INDEX coupons_of_order ON coupons (order_id) WHERE order_id IS NOT NULL"
    )
    op.execute("CREATE INDEX signing_requests_of_account ON signing_requests (account, id)")
    op.execute(
        "CREATE INDEX refunds_on_their_way ON refunds (merchant_id, order_id) "
        "WHERE state IN ('pending', 'submitted')"
    )
    op.execute(
        "CREATE INDEX wallet_links_newest ON wallet_links (linked_ms) WHERE state = 'active'"
    )


def downgrade() -> None:
    """Take them away."""
    op.execute("DROP INDEX wallet_links_newest")
    op.execute("DROP INDEX refunds_on_their_way")
    op.execute("DROP INDEX signing_requests_of_account")
    op.execute("DROP INDEX coupons_of_order")
    op.execute("CREATE INDEX coupons_of_order ON coupons (order_id) WHERE order_id IS NOT NULL")
