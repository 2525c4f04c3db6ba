"""What a wallet is offered: an order, with milk that can still be had.

Between the opening of an order and its payment a lot may be frozen, go off or be sold out. Who then
reads the offer gets another lot at the same price. A lot that was offered once stays good: a wallet
that signed for the first one before it read the second pays the order all the same. A pack that
came back is not offered any more once its lot is frozen or off: then milk of a lot is.
"""

from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.catalogue.returned import give_packs_back
from api.catalogue.shelves import draw
from api.catalogue.stock import released_by, reopen_shelves, reserve
from api.db.session import in_transaction
from api.db.statements import text
from api.errors import Conflict
from api.events.outbox import NewEvent, write_events
from api.orders.drawing import offered_with, packs_of
from api.orders.model import ORDER_COLUMNS, Order, OrderState, read_order
from api.orders.schemas import told_of
from api.orders.store import read_orders

_GONE: Final = """EXISTS (
        SELECT FROM jsonb_to_recordset(o.basket) AS b(lot text, units bigint)
        LEFT JOIN lots l ON l.id = decode(b.lot, 'hex')
        WHERE l.id IS NULL OR NOT l.sound OR l.remaining_units < b.units
            OR l.expires_ms <= o.expires_ms
    ) OR EXISTS (
        SELECT FROM jsonb_to_recordset(o.returned) AS r(lot text)
        LEFT JOIN lots l ON l.id = decode(r.lot, 'hex')
        WHERE l.id IS NULL OR NOT l.sound OR l.expires_ms <= o.expires_ms
    )"""
"""Whether some of the milk of an order's basket can't be had any more."""


async def read_offered(
    reader: AsyncEngine, engine: AsyncEngine, order_id: str, now_ms: int
) -> Order | None:
    """Read an order as it is offered now; raise `Conflict` if no lots hold its milk any more.

    `reader` is the engine for single statements.
    """
    async with reader.connect() as connection:
        rows = await connection.execute(
            text(f"""
                SELECT {ORDER_COLUMNS}, o.state = 'awaiting_payment' AND o.paying_tx IS NULL
                    AND ({_GONE}) AS gone
                FROM orders o JOIN merchants m ON m.id = o.merchant_id WHERE o.id = :id
            """),  # noqa: S608 - constants of this package
            {"id": order_id},
        )
        row = rows.first()
    if row is None:
        return None
    if not row.gone:
        return read_order(row)

    async def work(connection: AsyncConnection) -> Order | None:
        return await _offer_anew(connection, order_id, now_ms)

    return await in_transaction(engine, work)


async def _offer_anew(connection: AsyncConnection, order_id: str, now_ms: int) -> Order | None:
    """Draw an order's milk from other lots."""
    order = (await read_orders(connection, [order_id], lock=True)).get(order_id)
    if order is None or order.state is not OrderState.AWAITING_PAYMENT or order.paying_tx:
        return order
    after = await draw_from_lots(connection, order)
    event = NewEvent("order.offered", order.merchant_id, order.id, told_of(after), now_ms)
    await write_events(connection, [event])
    return after


async def draw_from_lots(connection: AsyncConnection, order: Order) -> Order:
    """Draw a locked order's milk from lots, anew; raise `Conflict` if none hold it.

    Packs that came back and that it was to be of are there for others, if they may be sold.
    """
    given_back = released_by([order.basket])
    shelves = await reopen_shelves(connection, order.expires_ms, given_back)
    basket = draw(shelves, packs_of(order.items))
    redeem_units = sum(part.units for part in basket or ())
    if basket is None or order.amount_units < redeem_units:
        raise Conflict("no lots in date hold that much of this milk", code="OUT_OF_STOCK")
    await reserve(connection, shelves)
    await give_packs_back(connection, [order])
    after = order.changed(
        basket=basket,
        offered=offered_with(basket, order.offered),
        redeem_units=redeem_units,
        returned=(),
    )
    await _store(connection, order, after)
    return after


async def _store(connection: AsyncConnection, before: Order, after: Order) -> None:
    await connection.execute(
        text("""
            UPDATE orders SET basket = CAST(:basket AS jsonb), offered = CAST(:offered AS jsonb),
                returned = '[]', redeem_units = :redeem, version = :version
            WHERE id = :id AND merchant_id = :merchant_id AND version = :before
        """),
        {
            "basket": msgspec.json.encode(after.basket).decode(),
            "offered": msgspec.json.encode(after.offered).decode(),
            "redeem": after.redeem_units,
            "version": after.version,
            "before": before.version,
            "id": after.id,
            "merchant_id": after.merchant_id,
        },
    )
