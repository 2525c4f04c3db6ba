"""Payments keep the trace of the request that brought them, for events of what becomes of them."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add it; what was brought before has none."""
    trace = sa.Column("trace", sa.String(length=55), server_default="", nullable=False)
    op.add_column("payments", trace)


def downgrade() -> None:
    """Take it away."""
    op.drop_column("payments", "trace")
