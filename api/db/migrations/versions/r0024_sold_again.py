"""Packs that came back are sold again: their order redeems nothing, and tells which they are."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add them to orders; none was sold so before."""
    op.execute("ALTER TABLE orders ADD COLUMN returned jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    """Take them away."""
    op.execute("ALTER TABLE orders DROP COLUMN returned")
