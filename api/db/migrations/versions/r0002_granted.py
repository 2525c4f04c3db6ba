"""Rate windows keep what their last statement granted: refused requests are not counted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    granted = sa.Column("granted", sa.BigInteger(), server_default="0", nullable=False)
    op.add_column("rate_windows", granted)


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("rate_windows", "granted")
