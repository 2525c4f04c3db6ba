"""Orders' accounts, opened: with all that came in for them before, less what is to go back.

A refund counts from the moment that it is asked for. Else money that a signer is about to give back
would pay the order once more, or be given back a second time as too much.
"""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.statements import text
from api.orders.model import Order
from api.payments.accounting import OrderAccount
from api.payments.store import history_of


async def open_accounts(
    connection: AsyncConnection, orders: Sequence[Order]
) -> dict[str, OrderAccount]:
    """Open the accounts of locked orders, by the orders' ids."""
    accounts = {order.id: OrderAccount(order) for order in orders}
    begun = [(order.merchant_id, order.id) for order in orders if order.received_units]
    for order_id, paid in await history_of(connection, begun):
        accounts[order_id].add(paid)
    for order_id, units in (await going_back(connection, begun)).items():
        accounts[order_id].promise_back(units)
    return accounts


async def going_back(
    connection: AsyncConnection, keys: Sequence[tuple[str, str]]
) -> dict[str, int]:
    """Sum up what open refunds give back of orders, by (merchant, id); those of nothing are out."""
    if not keys:
        return {}
    rows = await connection.execute(
        text("""
            SELECT order_id, sum(units)::bigint AS units FROM refunds
            WHERE (merchant_id, order_id) IN (SELECT * FROM unnest(
                CAST(:merchants AS text[]), CAST(:ids AS text[])))
                AND state IN ('pending', 'submitted')
            GROUP BY order_id
        """),
        {"merchants": [merchant for merchant, _ in keys], "ids": [one for _, one in keys]},
    )
    return {row.order_id: row.units for row in rows}
