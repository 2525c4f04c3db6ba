"""Payments read from the database, one by one or a page at a time."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.payments.model import Outcome, Payment, PaymentState

PAYMENT_COLUMNS: Final = """p.tx_hash, p.merchant_id, p.order_id, p.state, p.outcome, p.code,
    p.units, p.delta_units, p.refunded_units, p.settlement, p.height, p.block_hash, p.created_ms,
    p.confirmed_ms, o.amount_sen, o.amount_units"""
PAYMENT_FROM: Final = """FROM payments p
    LEFT JOIN orders o ON o.id = p.order_id AND o.merchant_id = p.merchant_id"""
"""A payment with its order's quote."""


def read_payment(row: Any) -> Payment:
    """Read a row of a payment and its order."""
    return Payment(
        tx_hash=row.tx_hash,
        merchant_id=row.merchant_id,
        order_id=row.order_id,
        state=PaymentState(row.state),
        outcome=None if row.outcome is None else Outcome(row.outcome),
        code=row.code,
        units=row.units,
        delta_units=row.delta_units,
        refunded_units=row.refunded_units,
        settlement=row.settlement,
        height=row.height,
        block_hash=row.block_hash,
        created_ms=row.created_ms,
        confirmed_ms=row.confirmed_ms,
        amount_sen=row.amount_sen,
        amount_units=row.amount_units,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """Which payments are listed; None leaves a filter out. Times are those of our first look."""

    state: PaymentState | None = None
    outcome: Outcome | None = None
    settlement: str | None = None
    order_id: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


async def list_payments(
    connection: AsyncConnection,
    merchant_id: str,
    wanted: PaymentFilter,
    below: tuple[int, bytes] | None,
    limit: int,
) -> list[Payment]:
    """List a merchant's payments below a place, newest first."""
    at_ms, tx_hash = below or (None, b"")
    rows = await connection.execute(
        text(f"""
            SELECT {PAYMENT_COLUMNS} {PAYMENT_FROM}
            WHERE p.merchant_id = :merchant
                AND (CAST(:at AS bigint) IS NULL OR (p.created_ms, p.tx_hash) < (:at, :hash))
                AND p.state = coalesce(CAST(:state AS text), p.state)
                AND (CAST(:outcome AS text) IS NULL OR p.outcome = :outcome)
                AND p.settlement = coalesce(CAST(:settlement AS text), p.settlement)
                AND (CAST(:order_id AS text) IS NULL OR p.order_id = :order_id)
                AND p.created_ms >= coalesce(CAST(:from AS bigint), 0)
                AND (CAST(:to AS bigint) IS NULL OR p.created_ms < :to)
            ORDER BY p.created_ms DESC, p.tx_hash DESC LIMIT :limit
        """),
        {
            "merchant": merchant_id,
            "at": at_ms,
            "hash": tx_hash,
            "state": wanted.state,
            "outcome": wanted.outcome,
            "settlement": wanted.settlement,
            "order_id": wanted.order_id,
            "from": wanted.from_ms,
            "to": wanted.to_ms,
            "limit": limit,
        },
    )
    return [read_payment(row) for row in rows]
