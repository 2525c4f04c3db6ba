"""Cash that becomes BILL and back: top-ups, welcomes, cash-outs, the book."""

from alembic import op

revision = "0011"
down_revision = "0010"

_APPROVALS = """
    ALTER TABLE approvals DROP CONSTRAINT kind_known;
    ALTER TABLE approvals ADD CONSTRAINT kind_known CHECK (kind IN ('role_grant', 'wallet_rebind',
        'payout_change', 'refund', 'loyalty_adjustment', 'top_up', 'cash_out'))
"""
_TOP_UPS = """
    CREATE TABLE top_ups (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        place_id varchar(26) NOT NULL,
        terminal_id varchar(26) NOT NULL,
        taken_by varchar(26) NOT NULL,
        approved_by varchar(26) NOT NULL,
        user_id varchar(26),
        address_index bytea NOT NULL,
        amount_sen bigint NOT NULL,
        units bigint NOT NULL,
        price_id varchar(26) NOT NULL,
        litre_sen bigint NOT NULL,
        receipt varchar(40) NOT NULL,
        state varchar(16) NOT NULL,
        created_ms bigint NOT NULL,
        tx_hash bytea,
        code varchar(64) NOT NULL DEFAULT '',
        detail varchar(500) NOT NULL DEFAULT '',
        ended_ms bigint,
        PRIMARY KEY (union_id, id),
        CONSTRAINT receipt_once_a_place UNIQUE (union_id, place_id, receipt),
        CONSTRAINT state_known CHECK (state IN ('pending', 'submitted', 'succeeded', 'failed',
            'reversed')),
        CONSTRAINT something_for_something CHECK (amount_sen > 0 AND units > 0)
    );
    CREATE INDEX top_ups_of_user ON top_ups (union_id, user_id, created_ms);
    CREATE INDEX top_ups_of_address ON top_ups (union_id, address_index, created_ms);
    CREATE INDEX top_ups_promised ON top_ups (union_id) WHERE state IN ('pending', 'submitted');
    CREATE TABLE welcomes (
        union_id varchar(26) NOT NULL,
        student varchar(32) NOT NULL,
        id varchar(26) NOT NULL,
        user_id varchar(26) NOT NULL,
        units bigint NOT NULL,
        state varchar(16) NOT NULL,
        created_ms bigint NOT NULL,
        tx_hash bytea,
        code varchar(64) NOT NULL DEFAULT '',
        ended_ms bigint,
        PRIMARY KEY (union_id, student),
        CONSTRAINT state_known CHECK (state IN ('pending', 'submitted', 'succeeded', 'failed'))
    );
    CREATE INDEX welcomes_by_id ON welcomes (union_id, id);
    CREATE INDEX welcomes_promised ON welcomes (union_id) WHERE state IN ('pending', 'submitted');
"""
_CASH_OUTS = """
    CREATE TABLE cash_outs (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        user_id varchar(26) NOT NULL,
        asked_units bigint NOT NULL,
        reference bytea NOT NULL,
        price_id varchar(26) NOT NULL,
        litre_sen bigint NOT NULL,
        state varchar(16) NOT NULL,
        created_ms bigint NOT NULL,
        expires_ms bigint NOT NULL,
        received_units bigint NOT NULL DEFAULT 0,
        received_sen bigint NOT NULL DEFAULT 0,
        paid_sen bigint NOT NULL DEFAULT 0,
        payments integer NOT NULL DEFAULT 0,
        ended_ms bigint,
        PRIMARY KEY (union_id, id),
        CONSTRAINT reference_once UNIQUE (union_id, reference),
        CONSTRAINT state_known CHECK (state IN ('awaiting', 'received', 'paid', 'expired')),
        CONSTRAINT paid_for_what_came CHECK (paid_sen BETWEEN 0 AND received_sen)
    );
    CREATE INDEX cash_outs_of_user ON cash_outs (union_id, user_id, id);
    CREATE INDEX cash_outs_by_reference ON cash_outs (reference);
    CREATE INDEX cash_outs_open ON cash_outs (expires_ms) WHERE state = 'awaiting';
"""
_ENTRIES = """
    CREATE TABLE cash_entries (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        kind varchar(24) NOT NULL,
        ref_id varchar(80) NOT NULL,
        place_id varchar(26) NOT NULL,
        made_by varchar(26) NOT NULL,
        receipt varchar(40) NOT NULL,
        at_ms bigint NOT NULL,
        cash_sen bigint NOT NULL,
        float_units bigint NOT NULL,
        owed_units bigint NOT NULL,
        owed_sen bigint NOT NULL,
        PRIMARY KEY (union_id, id),
        CONSTRAINT once_a_thing UNIQUE (union_id, kind, ref_id),
        CONSTRAINT kind_known CHECK (kind IN ('top_up_taken', 'top_up_sent', 'top_up_returned',
            'welcome_sent', 'cash_out_received', 'cash_out_paid', 'float_received'))
    );
    CREATE INDEX cash_entries_of_place ON cash_entries (union_id, place_id, id);
    CREATE TRIGGER entries_stand BEFORE UPDATE OR DELETE ON cash_entries
        FOR EACH ROW EXECUTE FUNCTION entries_stand()
"""


def upgrade() -> None:
    """Make the tables, and the trigger that keeps entries as they are."""
    for statement in ";".join((_APPROVALS, _TOP_UPS, _CASH_OUTS, _ENTRIES)).split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Take them away."""
    for name in ("cash_entries", "cash_outs", "welcomes", "top_ups"):
        op.execute(f"DROP TABLE {name}")
