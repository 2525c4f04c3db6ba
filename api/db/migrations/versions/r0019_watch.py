"""Minutes of the service, and what has to be looked after."""

from alembic import op

revision = "0019"
down_revision = "0018"

_TABLES = """
    CREATE TABLE status_minutes (
        minute_ms bigint PRIMARY KEY,
        part varchar(32) NOT NULL
    );
    CREATE TABLE alerts (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        merchant_id varchar(26) NOT NULL,
        kind varchar(32) NOT NULL,
        subject varchar(32) NOT NULL,
        state varchar(16) NOT NULL,
        raised_ms bigint NOT NULL,
        acknowledged_by varchar(26) NOT NULL DEFAULT '',
        acknowledged_ms bigint,
        over_ms bigint,
        PRIMARY KEY (union_id, id),
        CONSTRAINT kind_known CHECK (kind IN ('signer_silent', 'webhook_disabled',
            'price_below_milk', 'flag_open')),
        CONSTRAINT state_known CHECK (state IN ('open', 'acknowledged', 'over'))
    );
    CREATE UNIQUE INDEX alerts_standing ON alerts (union_id, merchant_id, kind, subject)
        WHERE state <> 'over';
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in _TABLES.split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Take them away."""
    for name in ("alerts", "status_minutes"):
        op.execute(f"DROP TABLE {name}")
