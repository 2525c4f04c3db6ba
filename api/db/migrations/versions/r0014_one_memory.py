"""Orders' keys are remembered where those of all requests are."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Drop the orders' own table."""
    op.drop_table("idempotency_keys")


def downgrade() -> None:
    """Make it again, empty."""
    op.execute(
        """
        CREATE TABLE idempotency_keys (
            merchant_id varchar(26) NOT NULL REFERENCES merchants (id),
            key varchar(255) NOT NULL,
            fingerprint bytea NOT NULL,
            order_id varchar(26) NOT NULL,
            created_ms bigint NOT NULL,
            PRIMARY KEY (merchant_id, key)
        );
        CREATE INDEX idempotency_by_age ON idempotency_keys (created_ms);
        """
    )
