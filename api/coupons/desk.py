"""Using coupons: at a till that scans one, or on an order that a student has scanned.

The funder's signer buys the milk, and all that it pays is burned: the shop gets nothing and gives
nothing away, the student pays nothing, not even a fee. The coupon is held by its order from the
moment it is shown until the chain has said what became of the purchase. An order that a till opens
for a coupon costs 0.00. One that was opened for money keeps its price until its milk is bought:
a wallet that had signed for that price, and is faster, pays the order and not too much.

Locks: the order, the coupon, then lots. What becomes of a purchase: `api.coupons.settling`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.catalogue.shelves import draw
from api.catalogue.stock import open_shelves, reserve
from api.catalogue.store import find_product
from api.coupons.model import RESERVED_MS, Coupon, CouponEvent, CouponState, payer_of
from api.coupons.order_store import drawn_order, held_by_coupon, insert_order, write_price
from api.coupons.rules import why_not
from api.coupons.schemas import told_of_coupon
from api.coupons.store import Holder, overdue_coupons, step
from api.errors import Conflict, NotFound, Unprocessable
from api.events.outbox import NewEvent, draw_numbers, insert_events
from api.orders.drawing import BELOW_MILK, SALE, item_of, packs_of
from api.orders.model import Order, OrderState
from api.orders.offers import draw_from_lots
from api.orders.schemas import told_of
from api.signing.accounts import paying_account
from api.signing.store import SigningBook
from api.signing.wire import SignCoupon, SignRedemption
from api.tenants.store import find_merchant
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import format_address

TICKETS: Final = 100
EXPIRY_BATCH: Final = 500


class CouponDesk:
    """Holds coupons for orders, has their milk bought, and lets them go if it comes to nothing."""

    def __init__(
        self,
        book: SigningBook,
        price: tuple[str, int],
        prefix: str,
        poke: Callable[[], None],
    ) -> None:
        self._book = book
        self._price_id, self._litre_price_sen = price
        self._prefix, self._poke = prefix, poke

    async def redeem(
        self,
        connection: AsyncConnection,
        coupon: Coupon,
        merchant_id: str,
        product_id: str | None,
        letter: str,
        metadata: Mapping[str, str],
        now_ms: int,
    ) -> Order:
        """Open the order of a coupon that a merchant's till has scanned."""
        product = await find_product(connection, merchant_id, product_id or coupon.product_id)
        if product is None or not product.active:
            raise Unprocessable("this product is not sold here", code="UNKNOWN_PRODUCT")
        _check(coupon, merchant_id, product.price_sen, now_ms)
        merchant = await find_merchant(connection, merchant_id)
        assert merchant is not None, "it is whose key or till this is"
        item = item_of(product, 1)
        if not product.covers(self._litre_price_sen):
            raise Conflict(BELOW_MILK, code="PRICE_BELOW_MILK")
        order_id = str(ULID.from_timestamp(now_ms))
        held = await step(connection, coupon, CouponEvent.RESERVE, now_ms, Holder(order_id))
        if held is None:
            raise Conflict("somebody else uses it right now", code="COUPON_IN_USE")
        shelves = await open_shelves(connection, now_ms + RESERVED_MS)
        basket = draw(shelves, packs_of([item]))
        if basket is None:
            raise Conflict("no lots in date hold that much of this milk", code="OUT_OF_STOCK")
        await reserve(connection, shelves)
        order = drawn_order(order_id, merchant, item, basket, metadata, now_ms)
        await self._have_bought(connection, held, order, now_ms)
        return await self._write(connection, held, order, letter, now_ms)

    async def _write(
        self, connection: AsyncConnection, held: Coupon, order: Order, letter: str, now_ms: int
    ) -> Order:
        """Write a coupon's order under the next ticket, and the events that tell of it."""
        shop = order.merchant_id
        numbers = await draw_numbers(connection, Counter({shop: 2}), Counter({shop: 1}))
        order = replace(order, ticket=f"{letter}-{numbers[shop].tickets % TICKETS:02d}")
        await insert_order(connection, order, self._price_id)
        events = [
            NewEvent("order.created", shop, order.id, told_of(order), now_ms),
            told_of_coupon("reserved", held, now_ms),
        ]
        await insert_events(connection, events, numbers)
        return order

    async def use(
        self, connection: AsyncConnection, coupon: Coupon, order: Order, now_ms: int
    ) -> tuple[Order, list[NewEvent]]:
        """Let a coupon pay an order that was opened for money. The order is locked."""
        one_pack = len(order.items) == 1 and order.items[0].quantity == 1
        if not one_pack or not (order.basket or order.returned):
            raise Unprocessable("a coupon buys one pack", code="COUPON_TOO_SMALL")
        _check(coupon, order.merchant_id, order.items[0].price_sen, now_ms)
        if not _payable(order, now_ms):
            raise Conflict("the order can't be paid any more", code="ORDER_NOT_PAYABLE")
        holder = Holder(order.id, order.amount_sen, order.amount_units)
        held = await step(connection, coupon, CouponEvent.RESERVE, now_ms, holder)
        if held is None:
            raise Conflict("somebody else uses it right now", code="COUPON_IN_USE")
        if order.returned:
            # A coupon buys milk: the pack that came back is for who pays in money.
            order = await draw_from_lots(connection, order)
        after = held_by_coupon(order)
        await write_price(connection, order, after)
        await self._have_bought(connection, held, after, now_ms)
        told = NewEvent("order.coupon_used", after.merchant_id, after.id, told_of(after), now_ms)
        return after, [told, told_of_coupon("reserved", held, now_ms)]

    async def revoke(
        self, connection: AsyncConnection, coupon: Coupon, now_ms: int
    ) -> tuple[Coupon, list[NewEvent]]:
        """Take a coupon back that nobody has used; twice is once."""
        if coupon.state is CouponState.REVOKED:
            return coupon, []
        revoked = await step(connection, coupon, CouponEvent.REVOKE, now_ms)
        if revoked is None:
            held = coupon.state is CouponState.RESERVED
            code = "COUPON_IN_USE" if held else "COUPON_OVER"
            raise Conflict("an order holds it, or it is over", code=code)
        return revoked, [told_of_coupon("revoked", revoked, now_ms)]

    async def expire(self, connection: AsyncConnection, now_ms: int) -> list[NewEvent]:
        """End coupons whose time is over."""
        overdue = await overdue_coupons(connection, now_ms, EXPIRY_BATCH)
        ended = [await step(connection, one, CouponEvent.EXPIRE, now_ms) for one in overdue]
        return [told_of_coupon("expired", one, now_ms) for one in ended if one is not None]

    async def _have_bought(
        self, connection: AsyncConnection, coupon: Coupon, order: Order, now_ms: int
    ) -> None:
        owner_id = payer_of(coupon)
        account = await paying_account(connection, owner_id, now_ms)
        redeem = tuple(
            SignRedemption(part.lot, format_bill(Units(part.units))) for part in order.basket
        )
        to = format_address(order.payout, self._prefix)
        what = SignCoupon(order.reference.hex(), redeem, to)
        until_ms = now_ms + RESERVED_MS
        await self._book.open(
            connection, owner_id, account.account, what, order.id, now_ms, until_ms
        )
        self._poke()


def _payable(order: Order, now_ms: int) -> bool:
    """Tell whether a coupon may pay an order: nobody pays it, and no other coupon does."""
    taken = order.paying_tx is not None or order.received_units > 0 or order.kind != SALE
    waits = order.state is OrderState.AWAITING_PAYMENT and now_ms < order.expires_ms
    return waits and not taken


def _check(coupon: Coupon, merchant_id: str, price_sen: int, now_ms: int) -> None:
    code = why_not(coupon, merchant_id, price_sen, now_ms)
    if code == "COUPON_OF_ANOTHER_SHOP":
        raise NotFound("there is no such coupon")
    if code == "COUPON_TOO_SMALL":
        raise Unprocessable("the pack is dearer than the coupon is worth", code=code)
    if code:
        held = coupon.state is CouponState.RESERVED
        raise Conflict("an order holds it" if held else f"it is {coupon.state}", code=code)
