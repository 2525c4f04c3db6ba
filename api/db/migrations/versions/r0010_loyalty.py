"""Points of people, and coupons for free milk."""

from alembic import op

revision = "0010"
down_revision = "0009"

_LOYALTY = """
    CREATE TABLE loyalty_accounts (
        union_id varchar(26) NOT NULL,
        user_id varchar(26) NOT NULL,
        balance bigint NOT NULL,
        PRIMARY KEY (union_id, user_id)
    );
    CREATE TABLE loyalty_entries (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        user_id varchar(26) NOT NULL,
        kind varchar(16) NOT NULL,
        points bigint NOT NULL,
        order_id varchar(26),
        coupon_id varchar(26),
        note varchar(200) NOT NULL DEFAULT '',
        at_ms bigint NOT NULL,
        PRIMARY KEY (union_id, id),
        CONSTRAINT once_an_order UNIQUE (union_id, kind, order_id),
        CONSTRAINT kind_known CHECK (kind IN ('earn', 'reverse', 'redeem', 'restore', 'adjust'))
    );
    CREATE INDEX loyalty_entries_of_user ON loyalty_entries (union_id, user_id, id);
    CREATE TABLE waiting_points (
        union_id varchar(26) NOT NULL,
        order_id varchar(26) NOT NULL,
        merchant_id varchar(26) NOT NULL,
        address_index bytea NOT NULL,
        earned_ms bigint NOT NULL,
        expires_ms bigint NOT NULL,
        PRIMARY KEY (union_id, order_id)
    );
    CREATE INDEX waiting_points_of_address ON waiting_points (union_id, address_index);
    CREATE INDEX waiting_points_by_age ON waiting_points (expires_ms);
"""
_COUPONS = """
    CREATE TABLE coupons (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        user_id varchar(26) NOT NULL,
        merchant_id varchar(26) NOT NULL,
        code varchar(16) NOT NULL,
        product_id varchar(32) NOT NULL,
        price_sen bigint NOT NULL,
        funded_by varchar(16) NOT NULL,
        campaign_id varchar(26),
        state varchar(16) NOT NULL,
        order_id varchar(26),
        was_sen bigint,
        was_units bigint,
        issued_ms bigint NOT NULL,
        expires_ms bigint NOT NULL,
        ended_ms bigint,
        PRIMARY KEY (union_id, id),
        CONSTRAINT state_known CHECK (state IN ('issued', 'reserved', 'redeemed', 'expired',
            'revoked')),
        CONSTRAINT funded_by_known CHECK (funded_by IN ('merchant', 'union', 'state')),
        CONSTRAINT held_by_an_order
            CHECK ((order_id IS NOT NULL) = (state IN ('reserved', 'redeemed')))
    );
    CREATE INDEX coupons_of_user ON coupons (union_id, user_id, id);
    CREATE INDEX coupons_of_merchant ON coupons (union_id, merchant_id, id);
    CREATE INDEX coupons_of_order ON coupons (order_id) WHERE order_id IS NOT NULL;
    CREATE INDEX coupons_open ON coupons (expires_ms) WHERE state = 'issued';
    CREATE TABLE coupon_campaigns (
        union_id varchar(26) NOT NULL,
        id varchar(26) NOT NULL,
        name varchar(80) NOT NULL,
        merchant_id varchar(26) NOT NULL,
        product_id varchar(32) NOT NULL,
        funded_by varchar(16) NOT NULL,
        issued bigint NOT NULL,
        created_by varchar(26) NOT NULL,
        created_ms bigint NOT NULL,
        expires_ms bigint NOT NULL,
        PRIMARY KEY (union_id, id),
        CONSTRAINT funded_by_known CHECK (funded_by IN ('merchant', 'union', 'state'))
    );
"""
_APPEND_ONLY = """
    CREATE FUNCTION entries_stand() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'an entry is never changed and never deleted';
    END $$
"""
_TRIGGER = """
    CREATE TRIGGER entries_stand BEFORE UPDATE OR DELETE ON loyalty_entries
    FOR EACH ROW EXECUTE FUNCTION entries_stand()
"""


def upgrade() -> None:
    """Make the tables, and the trigger that keeps entries as they are."""
    for statement in (_LOYALTY + _COUPONS).split(";"):
        if statement.strip():
            op.execute(statement)
    op.execute(_APPEND_ONLY)
    op.execute(_TRIGGER)


def downgrade() -> None:
    """Take them away."""
    for name in (
        "coupon_campaigns", "coupons", "waiting_points", "loyalty_entries", "loyalty_accounts"
    ):  # fmt: skip
        op.execute(f"DROP TABLE {name}")
    op.execute("DROP FUNCTION entries_stand")
