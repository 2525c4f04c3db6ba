"""Milk is not handed over while its money is on its way back."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.errors import Conflict
from api.orders.model import Order
from api.refunds.model import EXCESS


async def hold_back(connection: AsyncConnection, before: Order, after: Order) -> None:
    """Raise `Conflict` for a hand-over of a locked order whose money is about to go back.

    What came in beyond the quote may go back meanwhile: the rest pays the milk.
    """
    if before.fulfilled_ms is not None or after.fulfilled_ms is None:
        return
    goes_back = await connection.scalar(
        text("""
            SELECT EXISTS (SELECT FROM refunds WHERE merchant_id = :merchant
                AND order_id = :order_id AND state IN ('pending', 'submitted')
                AND reason <> ALL(CAST(:excess AS text[])))
        """),
        {"merchant": before.merchant_id, "order_id": before.id, "excess": sorted(EXCESS)},
    )
    if goes_back:
        raise Conflict("a refund of this order is on its way", code="REFUND_IN_FLIGHT")
