"""What a coupon bought in vain is none of its order's money."""

from alembic import op

revision = "0025"
down_revision = "0024"

_OUTCOMES = (
    "'succeeded', 'paid_late', 'underpaid', 'overpaid', 'wrong_redemption', 'duplicate', "
    "'paid_after_cancel', 'unmatched', "
)
_IN_VAIN = """
    p.outcome IN ('duplicate', 'paid_after_cancel') AND EXISTS (SELECT FROM claims c
        WHERE c.kind = 'tx' AND c.value = p.tx_hash AND c.subject = 'signing')
"""


def upgrade() -> None:
    """Take such purchases out of the sums of their orders."""
    _let_be(f"{_OUTCOMES}'in_vain', 'failed'")
    op.execute(f"""
        UPDATE orders o SET received_units = o.received_units - v.units, version = o.version + 1,
            exception = CASE WHEN o.exception = 'duplicate' AND NOT v.others THEN NULL
                ELSE o.exception END,
            state = CASE WHEN o.state = 'partially_refunded'
                AND o.received_units - v.units = o.refunded_units THEN 'refunded' ELSE o.state END
        FROM (
            SELECT p.order_id, p.merchant_id, sum(p.units) FILTER (WHERE {_IN_VAIN}) AS units,
                bool_or(p.outcome = 'duplicate' AND NOT ({_IN_VAIN})) AS others
            FROM payments p GROUP BY p.order_id, p.merchant_id
        ) v
        WHERE v.units > 0 AND o.id = v.order_id AND o.merchant_id = v.merchant_id
    """)  # noqa: S608 - a constant of this module
    op.execute(f"""
        UPDATE payments p SET outcome = 'in_vain', delta_units = 0 WHERE {_IN_VAIN}
    """)  # noqa: S608 - a constant of this module


def downgrade() -> None:
    """Count them again."""
    op.execute("""
        UPDATE orders o SET received_units = o.received_units + v.units, version = o.version + 1
        FROM (
            SELECT order_id, merchant_id, sum(units) AS units FROM payments
            WHERE outcome = 'in_vain' GROUP BY order_id, merchant_id
        ) v
        WHERE o.id = v.order_id AND o.merchant_id = v.merchant_id
    """)
    op.execute("UPDATE payments SET outcome = 'duplicate' WHERE outcome = 'in_vain'")
    _let_be(f"{_OUTCOMES}'failed'")


def _let_be(outcomes: str) -> None:
    op.execute("ALTER TABLE payments DROP CONSTRAINT outcome_known")
    op.execute(f"ALTER TABLE payments ADD CONSTRAINT outcome_known CHECK (outcome IN ({outcomes}))")
