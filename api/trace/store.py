"""The payments of an order, as far as a trace begins at them."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.orders.model import Order
from api.payments.model import GOOD

SALES_MAX: Final = 8
"""So many payments of one order are walked from: one is usual, and strangers may add others."""


async def redeeming_payments(connection: AsyncConnection, order: Order) -> tuple[list[bytes], bool]:
    """List the final payments that burned an order's milk, in the order of the chain; and if all.

    Anybody may send an order a unit, before its customer and as often as they like. So what counts
    redeems lots that the order was offered, and no others; of more than are walked from, the
    payment that is good comes first, and then whoever burned most.
    """
    rows = await connection.execute(
        text("""
            SELECT p.tx_hash, p.height FROM payments p CROSS JOIN LATERAL (
                SELECT sum(CAST(part ->> 1 AS bigint)) AS units,
                    bool_and(part ->> 0 = ANY(CAST(:offered AS text[]))) AS offered
                FROM jsonb_array_elements(p.basket) part
            ) milk
            WHERE p.merchant_id = :merchant AND p.order_id = :order AND p.state = 'finalised'
                AND p.outcome <> 'failed' AND milk.offered
            ORDER BY p.outcome = ANY(CAST(:good AS text[])) DESC, milk.units DESC, p.height,
                p.tx_hash
            LIMIT :limit
        """),
        {
            "merchant": order.merchant_id,
            "order": order.id,
            "offered": sorted(order.offered),
            "good": sorted(map(str, GOOD)),
            "limit": SALES_MAX + 1,
        },
    )
    found = [(row.height, bytes(row.tx_hash)) for row in rows]
    walked = sorted(found[:SALES_MAX])
    return [tx_hash for _, tx_hash in walked], len(found) <= SALES_MAX
