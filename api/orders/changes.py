"""Changes of orders, carried out: by people, one at a time; by time, many at once.

Each is one transaction that locks the orders, asks the rule, and writes order, reservations and
event together. A change that is done already writes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.catalogue.returned import follow_orders
from api.catalogue.stock import adjust, released_by
from api.db.session import in_transaction
from api.db.statements import text
from api.errors import Conflict, NotFound
from api.events.outbox import NewEvent, write_events
from api.orders.model import Order, OrderState
from api.orders.rules import NoSuchMove, expire
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders

EXPIRY_BATCH: Final = 500

Rule = Callable[[Order], Order]
"""What becomes of an order; raises `NoSuchMove`."""
OrderWitness = Callable[[AsyncConnection, Order, Order, int], Awaitable[Sequence[NewEvent]]]
"""Takes note of an order that a person changes (before, after), in the same transaction.

The order is locked. It gives its events back, to be written last.
"""


async def change_order(
    engine: AsyncEngine,
    merchant_id: str,
    order_id: str,
    rule: Rule,
    event: str,
    now_ms: int,
    witness: OrderWitness,
) -> Order:
    """Apply a rule to a merchant's order; raise `NotFound`, or `Conflict` with the rule's code."""

    async def work(connection: AsyncConnection) -> Order:
        order = await lock_order(connection, merchant_id, order_id)
        return await apply_rule(connection, order, rule, event, now_ms, witness)

    return await in_transaction(engine, work)


async def lock_order(connection: AsyncConnection, merchant_id: str, order_id: str) -> Order:
    """Lock a merchant's order; raise `NotFound`."""
    order = (await read_orders(connection, [order_id], lock=True)).get(order_id)
    if order is None or order.merchant_id != merchant_id:
        raise NotFound("there is no such order")
    return order


async def apply_rule(
    connection: AsyncConnection,
    order: Order,
    rule: Rule,
    event: str,
    now_ms: int,
    witness: OrderWitness,
) -> Order:
    """Apply a rule to an order that is locked; raise `Conflict` with the rule's code."""
    try:
        after = rule(order)
    except NoSuchMove as why:
        raise Conflict(str(why), code=why.code) from why
    if after is not order:
        told = await witness(connection, order, after, now_ms)
        await _write(connection, [(order, after)], event, now_ms, told)
    return after


async def expire_orders(engine: AsyncEngine, before_ms: int, now_ms: int) -> int:
    """Expire orders whose time ended before `before_ms`; give how many there were.

    An order with a payment on its way is left: what was accepted in time is paid in time.
    """

    async def work(connection: AsyncConnection) -> int:
        found = await connection.scalars(
            text(f"""
                SELECT id FROM orders
                WHERE state = 'awaiting_payment' AND expires_ms < :before AND paying_tx IS NULL
                ORDER BY id LIMIT {EXPIRY_BATCH} FOR NO KEY UPDATE
            """),  # noqa: S608 - a constant of this module
            {"before": before_ms},
        )
        orders = (await read_orders(connection, list(found))).values()
        changes = [(order, expire(order)) for order in orders]
        await _write(connection, changes, "order.expired", now_ms)
        return len(changes)

    return await in_transaction(engine, work)


async def _write(
    connection: AsyncConnection,
    changes: list[tuple[Order, Order]],
    event: str,
    now_ms: int,
    more: Sequence[NewEvent] = (),
) -> None:
    """Write changed orders, give back what those that wait no longer had reserved, and tell."""
    await store_orders(connection, changes)
    await release(connection, changes, {})
    await write_events(
        connection,
        [
            NewEvent(event, after.merchant_id, after.id, told_of(after), now_ms)
            for _, after in changes
        ]
        + list(more),
    )


async def release_left(connection: AsyncConnection, before: Mapping[str, Order]) -> None:
    """Give back what orders had reserved that waited, when they were locked, and wait no longer."""
    await release(connection, await changed_since(connection, before), {})


async def release(
    connection: AsyncConnection,
    changes: Sequence[tuple[Order, Order]],
    redeemed_units: Mapping[bytes, int],
) -> None:
    """Give back what orders had reserved that wait no longer, and take off what was redeemed."""
    released = released_by(order.basket for order in left_queue(changes))
    await adjust(connection, released, redeemed_units)
    await follow_orders(connection, changes)


async def changed_since(
    connection: AsyncConnection, before: Mapping[str, Order]
) -> list[tuple[Order, Order]]:
    """Pair locked orders, as they were, with what has become of them in this transaction."""
    now = await read_orders(connection, list(before)) if before else {}
    return [(before[order_id], order) for order_id, order in now.items()]


def left_queue(changes: Sequence[tuple[Order, Order]]) -> list[Order]:
    """List the orders that wait for payment no longer."""
    waiting = OrderState.AWAITING_PAYMENT
    return [after for before, after in changes if before.state is waiting is not after.state]
