"""A refund that came to nothing: what was to go back is its order's again."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.events.outbox import NewEvent
from api.orders.changes import OrderWitness
from api.orders.model import OrderState
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders
from api.payments.books import open_accounts
from api.refunds.model import Refund


async def count_again(
    connection: AsyncConnection, refund: Refund, now_ms: int, witness: OrderWitness
) -> list[NewEvent]:
    """Judge the order of a refund that failed or was cancelled by what it has now.

    With that money it may be paid, or have too much. The order is locked, and whoever locked it
    gives back what it had reserved. `witness` is told of an order that changed.
    """
    if refund.order_id is None:
        return []
    order = (await read_orders(connection, [refund.order_id], lock=True))[refund.order_id]
    account = (await open_accounts(connection, [order]))[order.id]
    account.reconsider(now_ms)
    if not account.changed:
        return []
    await store_orders(connection, [(order, account.order)])
    paid = account.order.state is OrderState.PAID is not order.state
    kind, told = "order.paid" if paid else "order.received", told_of(account.order)
    more = await witness(connection, order, account.order, now_ms)
    return [NewEvent(kind, order.merchant_id, order.id, told, now_ms), *more]
