"""Orders hold baskets, keys hold merchants: the tables of orders, payments, stock and outbox anew.

Chains and their databases begin anew with this version, so nothing is carried over. Nothing is
thrown away either: a database with orders of an older chain is refused as it is.
"""

from alembic import op
from sqlalchemy import text

from api.errors import ConfigFault

revision = "0008"
down_revision = "0007"

_DROPPED = ("payments", "payment_intents", "orders", "lots", "events")

_ORDERS = """
    CREATE TABLE orders (
        id varchar(26) NOT NULL,
        merchant_id varchar(26) NOT NULL,
        kind varchar(16) NOT NULL,
        price_id varchar(26) NOT NULL,
        items jsonb NOT NULL,
        amount_sen bigint NOT NULL,
        amount_units bigint NOT NULL,
        redeem_units bigint NOT NULL,
        reference bytea NOT NULL,
        payout bytea NOT NULL,
        basket jsonb NOT NULL,
        offered jsonb NOT NULL,
        code varchar(8) NOT NULL,
        ticket varchar(8) NOT NULL,
        metadata jsonb NOT NULL,
        state varchar(24) NOT NULL,
        exception varchar(24),
        received_units bigint NOT NULL DEFAULT 0,
        refunded_units bigint NOT NULL DEFAULT 0,
        paying_tx bytea,
        version integer NOT NULL DEFAULT 1,
        created_ms bigint NOT NULL,
        expires_ms bigint NOT NULL,
        paid_ms bigint,
        fulfilled_ms bigint,
        PRIMARY KEY (id, merchant_id),
        CONSTRAINT state_known CHECK (state IN ('awaiting_payment', 'paid', 'expired', 'cancelled',
            'partially_refunded', 'refunded')),
        CONSTRAINT exception_known CHECK (exception IN ('overpaid', 'paid_late', 'duplicate',
            'paid_after_cancel', 'wrong_redemption')),
        CONSTRAINT quote_sound CHECK (amount_units >= redeem_units AND redeem_units >= 0)
    );
    CREATE INDEX orders_of_merchant ON orders (merchant_id, id);
    CREATE INDEX orders_open ON orders (expires_ms) WHERE state = 'awaiting_payment';
    CREATE INDEX orders_odd ON orders (merchant_id, id) WHERE exception IS NOT NULL;
    CREATE INDEX claims_by_age ON claims (ref_id) WHERE kind = 'code';
"""
_PAYMENTS = """
    CREATE TABLE payments (
        tx_hash bytea NOT NULL,
        merchant_id varchar(26) NOT NULL,
        order_id varchar(26),
        units bigint NOT NULL,
        basket jsonb NOT NULL,
        state varchar(16) NOT NULL,
        outcome varchar(24),
        code varchar(64) NOT NULL DEFAULT '',
        delta_units bigint NOT NULL DEFAULT 0,
        settlement varchar(16) NOT NULL DEFAULT 'unsettled',
        refunded_units bigint NOT NULL DEFAULT 0,
        valid_until_height bigint NOT NULL,
        raw bytea,
        height bigint,
        block_hash bytea,
        created_ms bigint NOT NULL,
        seen_ms bigint,
        confirmed_ms bigint,
        PRIMARY KEY (tx_hash, merchant_id),
        CONSTRAINT state_known CHECK (state IN ('seen', 'finalised', 'refused')),
        CONSTRAINT outcome_known CHECK (outcome IN ('succeeded', 'paid_late', 'underpaid',
            'overpaid', 'wrong_redemption', 'duplicate', 'paid_after_cancel', 'unmatched',
            'failed')),
        CONSTRAINT outcome_when_final CHECK ((state = 'finalised') = (outcome IS NOT NULL)),
        CONSTRAINT bytes_while_on_its_way CHECK ((state = 'seen') = (raw IS NOT NULL))
    );
    CREATE INDEX payments_of_order ON payments (merchant_id, order_id);
    CREATE INDEX payments_of_merchant ON payments (merchant_id, created_ms, tx_hash);
    CREATE INDEX payments_on_their_way ON payments (seen_ms) WHERE state = 'seen';
"""
_STOCK = """
    CREATE TABLE lots (
        id bytea PRIMARY KEY,
        lot bytea NOT NULL,
        kind varchar(32) NOT NULL,
        plant varchar(64) NOT NULL,
        pack_units bigint NOT NULL,
        remaining_units bigint NOT NULL,
        reserved_units bigint NOT NULL DEFAULT 0,
        sound boolean NOT NULL,
        expires_ms bigint NOT NULL,
        seen_ms bigint NOT NULL
    );
"""
_EVENTS = """
    CREATE TABLE events (
        merchant_id varchar(26) NOT NULL,
        seq bigint NOT NULL,
        kind varchar(32) NOT NULL,
        subject_id varchar(64) NOT NULL,
        tx_hash bytea,
        body jsonb NOT NULL,
        at_ms bigint NOT NULL,
        PRIMARY KEY (merchant_id, seq)
    );
    CREATE TABLE merchant_sequences (
        merchant_id varchar(26) PRIMARY KEY,
        seq bigint NOT NULL DEFAULT 0,
        tickets bigint NOT NULL DEFAULT 0
    );
    CREATE TABLE leases (
        name varchar(32) PRIMARY KEY,
        owner varchar(64) NOT NULL,
        until_ms bigint NOT NULL
    );
"""


def upgrade() -> None:
    """Make the tables; raise `ConfigFault` where that would throw orders away."""
    if op.get_bind().execute(text("SELECT EXISTS (SELECT 1 FROM orders)")).scalar():
        raise ConfigFault(
            "this database holds orders of a chain that an older program served, and chains begin "
            "anew: keep it with that program, and begin with a new home or an empty database"
        )
    for table in _DROPPED:
        op.drop_table(table)
    for statements in (_ORDERS, _PAYMENTS, _STOCK, _EVENTS):
        for statement in statements.split(";"):
            if statement.strip():
                op.execute(statement)


def downgrade() -> None:
    """Refuse: what an older program would read is not here."""
    raise NotImplementedError("databases begin anew with this version: make a new one")
