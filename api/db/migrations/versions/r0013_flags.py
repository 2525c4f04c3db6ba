"""Payment attempts, flags, and what the operations channel is told."""

from alembic import op

revision = "0013"
down_revision = "0012"

_ATTEMPTS = """
    CREATE TABLE payment_attempts (
        merchant_id varchar(26) NOT NULL,
        tx_hash bytea NOT NULL,
        order_id varchar(26),
        subject varchar(80) NOT NULL,
        outcome varchar(24) NOT NULL,
        at_ms bigint NOT NULL,
        told_ms bigint NOT NULL,
        PRIMARY KEY (merchant_id, tx_hash),
        CONSTRAINT outcome_known CHECK (outcome IN ('taken', 'paid', 'failed', 'refused',
            'already_used', 'wrong_amount', 'wrong_reference', 'wrong_shape', 'order_closed',
            'in_flight', 'lapsed', 'not_handed_in', 'bad_signature', 'unknown_order',
            'rate_limited', 'other'))
    );
    CREATE INDEX payment_attempts_by_hash ON payment_attempts (tx_hash);
    CREATE INDEX payment_attempts_by_age ON payment_attempts (told_ms);
    CREATE TABLE watch_notes (
        merchant_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        kind varchar(24) NOT NULL,
        subject varchar(80) NOT NULL,
        ref varchar(80) NOT NULL,
        at_ms bigint NOT NULL,
        PRIMARY KEY (merchant_id, id),
        CONSTRAINT kind_known CHECK (kind IN ('attempt_refused', 'caller_error', 'coupon_used'))
    );
    CREATE INDEX watch_notes_by_age ON watch_notes (kind, at_ms);
"""
_FLAGS = """
    CREATE TABLE flags (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        merchant_id varchar(26) NOT NULL,
        detector varchar(32) NOT NULL,
        subject varchar(80) NOT NULL,
        state varchar(16) NOT NULL,
        score integer NOT NULL,
        evidence jsonb NOT NULL,
        explanation_en text NOT NULL,
        explanation_ms text NOT NULL,
        raised_ms bigint NOT NULL,
        last_ms bigint NOT NULL,
        noticed_ms bigint NOT NULL,
        decided_by varchar(26) NOT NULL DEFAULT '',
        reason varchar(200) NOT NULL DEFAULT '',
        decided_ms bigint,
        PRIMARY KEY (union_id, id),
        CONSTRAINT state_known CHECK (state IN ('open', 'confirmed', 'released')),
        CONSTRAINT detector_known CHECK (detector IN ('failed_validations', 'attempt_rate',
            'cashier_refunds', 'device_coupons', 'address_shared', 'outside_hours',
            'caller_errors', 'settlement_drift'))
    );
    CREATE UNIQUE INDEX flags_standing ON flags (union_id, merchant_id, detector, subject)
        WHERE state <> 'released';
    CREATE INDEX flags_on_subject ON flags (subject) WHERE state <> 'released';
    CREATE TABLE ops_notices (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        body text NOT NULL,
        created_ms bigint NOT NULL,
        due_ms bigint NOT NULL,
        tries integer NOT NULL DEFAULT 0,
        PRIMARY KEY (union_id, id)
    );
    CREATE INDEX ops_notices_due ON ops_notices (due_ms);
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in (_ATTEMPTS + _FLAGS).split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Take them away."""
    for name in ("ops_notices", "flags", "watch_notes", "payment_attempts"):
        op.execute(f"DROP TABLE {name}")
