"""What signers sign for merchants and unions, and the refunds that they pay."""

from alembic import op

revision = "0009"
down_revision = "0008"

_SIGNING = """
    ALTER TABLE unions ADD COLUMN float_account bytea;
    ALTER TABLE approvals DROP CONSTRAINT kind_known;
    ALTER TABLE approvals ADD CONSTRAINT kind_known CHECK (kind IN ('role_grant', 'wallet_rebind',
        'payout_change', 'refund', 'loyalty_adjustment', 'top_up'));
    CREATE TABLE signers (
        account bytea NOT NULL,
        seen_ms bigint NOT NULL,
        PRIMARY KEY (account)
    );
    CREATE TABLE signing_requests (
        owner_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        account bytea NOT NULL,
        kind varchar(16) NOT NULL,
        what bytea NOT NULL,
        ref_id varchar(26) NOT NULL,
        state varchar(16) NOT NULL,
        created_ms bigint NOT NULL,
        expires_ms bigint NOT NULL,
        leased_until_ms bigint NOT NULL DEFAULT 0,
        raw bytea,
        tx_hash bytea,
        nonce bigint,
        valid_until_height bigint,
        submitted_ms bigint,
        ended_ms bigint,
        code varchar(64) NOT NULL DEFAULT '',
        detail varchar(500) NOT NULL DEFAULT '',
        PRIMARY KEY (owner_id, id),
        CONSTRAINT state_known CHECK (state IN ('open', 'leased', 'signed', 'submitted', 'final',
            'refused', 'expired')),
        CONSTRAINT bytes_while_on_their_way
            CHECK ((raw IS NOT NULL) = (state IN ('signed', 'submitted')))
    );
    CREATE INDEX signing_requests_wanted ON signing_requests (account, id)
        WHERE state IN ('open', 'leased');
    CREATE INDEX signing_requests_abroad ON signing_requests (account, nonce)
        WHERE state IN ('signed', 'submitted');
    CREATE INDEX signing_requests_for ON signing_requests (owner_id, ref_id);
"""
_REFUNDS = """
    CREATE TABLE refunds (
        merchant_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        order_id varchar(26),
        tx_hash bytea NOT NULL,
        units bigint NOT NULL,
        amount_sen bigint,
        reason varchar(24) NOT NULL,
        state varchar(16) NOT NULL,
        automatic boolean NOT NULL,
        requested_by varchar(80) NOT NULL,
        refund_tx bytea,
        code varchar(64) NOT NULL DEFAULT '',
        detail varchar(500) NOT NULL DEFAULT '',
        created_ms bigint NOT NULL,
        ended_ms bigint,
        PRIMARY KEY (merchant_id, id),
        CONSTRAINT state_known CHECK (state IN ('pending', 'submitted', 'succeeded', 'failed',
            'cancelled')),
        CONSTRAINT reason_known CHECK (reason IN ('not_handed_over', 'duplicate', 'overpaid',
            'paid_after_cancel', 'paid_late', 'spoiled', 'unmatched', 'other')),
        CONSTRAINT something_goes_back CHECK (units > 0)
    );
    CREATE INDEX refunds_of_payment ON refunds (merchant_id, tx_hash);
    CREATE TABLE returned_packs (
        merchant_id varchar(26) NOT NULL,
        refund_id varchar(26) NOT NULL,
        lot bytea NOT NULL,
        kind varchar(32) NOT NULL,
        pack_units bigint NOT NULL,
        packs bigint NOT NULL,
        packs_left bigint NOT NULL,
        expires_ms bigint NOT NULL,
        PRIMARY KEY (merchant_id, refund_id, lot, pack_units),
        CONSTRAINT packs_sold_once CHECK (packs_left BETWEEN 0 AND packs)
    );
    CREATE INDEX returned_packs_left ON returned_packs (merchant_id, kind) WHERE packs_left > 0;
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in (_SIGNING + _REFUNDS).split(";"):
        if statement.strip():
            op.execute(statement)


def downgrade() -> None:
    """Take them away."""
    for name in ("returned_packs", "refunds", "signing_requests", "signers"):
        op.execute(f"DROP TABLE {name}")
    op.drop_column("unions", "float_account")
