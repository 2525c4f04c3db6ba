"""Events keep the trace of the request that made them happen, for webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Add it; what happened before has none."""
    trace = sa.Column("trace", sa.String(length=55), server_default="", nullable=False)
    op.add_column("events", trace)


def downgrade() -> None:
    """Take it away."""
    op.drop_column("events", "trace")
