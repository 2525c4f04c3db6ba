"""Webhooks: endpoints, their secrets, deliveries and tries."""

from alembic import op

from api.db.tables.webhooks import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_secrets,
)

revision = "0012"
down_revision = "0011"

_TABLES = (webhook_endpoints, webhook_secrets, webhook_deliveries, webhook_attempts)


def upgrade() -> None:
    """Make the tables."""
    for table in _TABLES:
        table.create(op.get_bind())


def downgrade() -> None:
    """Drop them."""
    for table in reversed(_TABLES):
        op.drop_table(table.name)
