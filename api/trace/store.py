"""The payments of an order, as far as a trace begins at them."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.orders.model import Order


async def redeeming_payments(connection: AsyncConnection, order: Order, limit: int) -> list[bytes]:
    """List the final payments that burned milk for an order, in the order of the chain."""
    rows = await connection.execute(
        text("""
            SELECT tx_hash FROM payments
            WHERE merchant_id = :merchant AND order_id = :order AND state = 'finalised'
                AND outcome <> 'failed' AND basket <> '[]'
            ORDER BY height, tx_hash LIMIT :limit
        """),
        {"merchant": order.merchant_id, "order": order.id, "limit": limit},
    )
    return [bytes(row.tx_hash) for row in rows]
