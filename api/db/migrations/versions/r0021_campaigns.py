"""What became of a campaign's coupons is found by an index."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make the index."""
    op.execute(
        "CREATE INDEX coupons_of_campaign ON coupons (union_id, campaign_id) "
        "WHERE campaign_id IS NOT NULL"
    )


def downgrade() -> None:
    """Take it away."""
    op.execute("DROP INDEX coupons_of_campaign")
