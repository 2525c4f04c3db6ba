"""When a shop is open stands beside its time zone, under its id; events are found by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add both."""
    for column in ("opens", "closes"):
        hour = sa.Column(column, sa.String(length=5), server_default="", nullable=False)
        op.add_column("merchants", hour)
    op.create_index("events_by_age", "events", ["merchant_id", "at_ms"])


def downgrade() -> None:
    """Take them away."""
    op.drop_index("events_by_age", "events")
    for column in ("closes", "opens"):
        op.drop_column("merchants", column)
