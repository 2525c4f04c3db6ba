"""The request log of keys: what each has asked lately."""

from alembic import op

from api.db.tables.request_log import request_log

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    request_log.create(op.get_bind())


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("request_log")
