"""A coupon given back to its holder, since the milk that it bought was not handed over.

What was burned stays burned: the pack is the shop's to sell again, with nothing to burn, and so the
shop is whole. Who paid for the milk decides what has to be before: a shop's own account is paid
back by its pack; a union is given its money back first, by a refund. The coupon is good for as long
as it was when it was used.

Locks: the order, its payments, the coupon.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.coupons.model import Coupon, CouponEvent, CouponState, payer_of
from api.coupons.rules import after, before
from api.coupons.schemas import told_of_coupon
from api.coupons.store import find_coupon
from api.errors import Conflict
from api.events.outbox import NewEvent
from api.orders.model import Order, OrderEvent, OrderState
from api.orders.rules import move
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders
from api.refunds.rules import packs_burned
from api.refunds.store import PaidIn, lock_payments, return_packs


async def restore(
    connection: AsyncConnection, coupon: Coupon, now_ms: int
) -> tuple[Coupon, list[NewEvent]]:
    """Give a used coupon back; raise `Conflict`. One that is good is left as it is."""
    if coupon.state is CouponState.ISSUED:
        return coupon, []
    if coupon.state is not CouponState.REDEEMED:
        held = coupon.state is CouponState.RESERVED
        code = "COUPON_IN_USE" if held else "COUPON_OVER"
        raise Conflict("an order holds it, or it is over", code=code)
    assert coupon.order_id is not None, "an order used it"
    order = (await read_orders(connection, [coupon.order_id], lock=True))[coupon.order_id]
    _check_not_handed_over(order, coupon)
    events = []
    if payer_of(coupon) == order.merchant_id:
        events.append(await _undo_own(connection, order, now_ms))
    await _write(connection, coupon, now_ms)
    good = await find_coupon(connection, coupon.union_id, coupon.id)
    assert good is not None, "it was read before"
    return good, [*events, told_of_coupon("released", good, now_ms)]


def _check_not_handed_over(order: Order, coupon: Coupon) -> None:
    """Raise unless milk is owed that nobody gets, and all that was paid for it is given back."""
    if order.fulfilled_ms is not None:
        raise Conflict("its milk was handed over", code="NOT_RESTORABLE")
    own = payer_of(coupon) == order.merchant_id
    if order.state is not (OrderState.PAID if own else OrderState.REFUNDED):
        raise Conflict(
            f"its order is {order.state}: what a union paid is refunded first",
            code="NOT_RESTORABLE",
        )


async def _undo_own(connection: AsyncConnection, order: Order, now_ms: int) -> NewEvent:
    """Undo a purchase of the shop's own: no money goes anywhere, and the pack is there again."""
    payments = await lock_payments(connection, order.merchant_id, order_id=order.id)
    bought = next(paid for paid in payments if paid.own)
    undone = order.changed(
        state=move(order.state, OrderEvent.REFUNDED_WHOLE),
        refunded_units=order.refunded_units + bought.units,
    )
    await store_orders(connection, [(order, undone)])
    await connection.execute(
        text("""
            UPDATE payments SET refunded_units = units
            WHERE merchant_id = :merchant AND tx_hash = :hash
        """),
        {"merchant": order.merchant_id, "hash": bought.tx_hash},
    )
    await _restock(connection, order, bought)
    return NewEvent("order.refunded", order.merchant_id, order.id, told_of(undone), now_ms)


async def _restock(connection: AsyncConnection, order: Order, bought: PaidIn) -> None:
    items = [(item.kind, item.redeem_units, item.quantity) for item in order.items]
    basket = [(bytes.fromhex(lot), order.offered[lot], units) for lot, units in bought.basket]
    await return_packs(connection, order.merchant_id, order.id, packs_burned(items, basket))


async def _write(connection: AsyncConnection, coupon: Coupon, now_ms: int) -> None:
    """Make a coupon good again, unless somebody has; its time goes on where it stood."""
    done = await connection.execute(
        text("""
            UPDATE coupons SET state = :after, order_id = NULL, was_sen = NULL, was_units = NULL,
                ended_ms = NULL, expires_ms = expires_ms + greatest(:now - ended_ms, 0)
            WHERE union_id = :union AND id = :id AND state = :before AND order_id = :order_id
        """),
        {
            "union": coupon.union_id,
            "id": coupon.id,
            "order_id": coupon.order_id,
            "before": str(before(CouponEvent.RESTORE)),
            "after": str(after(CouponEvent.RESTORE)),
            "now": now_ms,
        },
    )
    if done.rowcount != 1:
        raise Conflict("somebody gave it back just now", code="COUPON_IN_USE")
