"""Using coupons: at a till that scans one, or on an order that a student has scanned.

The order costs 0.00. The funder's signer buys its milk, and all that it pays is burned: the shop
gets nothing and gives nothing away, the student pays nothing, not even a fee. The coupon is held by
its order from the moment it is shown until the chain has said what became of the purchase.

`CouponDesk` is the coupons' `SigningHandler`. Locks: the order, the coupon, then lots.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.catalogue.shelves import draw
from api.catalogue.stock import adjust, open_shelves, released_by, reserve
from api.config import ProductConfig
from api.coupons.model import PAID_BY_UNION, RESERVED_MS, Coupon, CouponEvent, CouponState
from api.coupons.order_store import (
    drawn_order,
    insert_order,
    made_free,
    priced_again,
    write_price,
)
from api.coupons.rules import why_not
from api.coupons.schemas import told_of_coupon
from api.coupons.store import Holder, coupon_of_order, overdue_coupons, step
from api.errors import Conflict, NotFound, Unprocessable
from api.events.outbox import NewEvent, draw_numbers, insert_events
from api.orders.changes import left_queue
from api.orders.drawing import packs_of
from api.orders.model import Item, Order, OrderState
from api.orders.rules import cancel
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders
from api.payments.accounting import OrderAccount
from api.payments.store import store_payments
from api.signing.accounts import paying_account
from api.signing.model import SigningEnd, SigningOutcome, SigningRequest
from api.signing.store import SigningBook
from api.signing.wire import SignCoupon, SignRedemption
from api.tenants.store import find_merchant
from ledger.primitives.amounts import Units, format_bill

TICKETS: Final = 100
EXPIRY_BATCH: Final = 500


class CouponDesk:
    """Holds coupons for orders, has their milk bought, and lets them go if it comes to nothing."""

    def __init__(
        self,
        book: SigningBook,
        products: Mapping[str, ProductConfig],
        price_id: str,
        poke: Callable[[], None],
    ) -> None:
        self._book, self._products, self._price_id = book, products, price_id
        self._poke = poke

    async def redeem(
        self,
        connection: AsyncConnection,
        coupon: Coupon,
        merchant_id: str,
        product_id: str | None,
        now_ms: int,
    ) -> Order:
        """Open the order of a coupon that a merchant's till has scanned."""
        product = self._products.get(product_id or coupon.product_id)
        if product is None:
            raise Unprocessable("this product is not sold here", code="UNKNOWN_PRODUCT")
        _check(coupon, merchant_id, product.price_sen, now_ms)
        merchant = await find_merchant(connection, merchant_id)
        assert merchant is not None, "it is whose key or till this is"
        item = Item(product.id, 1, product.kind, product.price_sen, product.redeem_units)
        order_id = str(ULID.from_timestamp(now_ms))
        held = await step(connection, coupon, CouponEvent.RESERVE, now_ms, Holder(order_id))
        if held is None:
            raise Conflict("somebody else uses it right now", code="COUPON_IN_USE")
        shelves = await open_shelves(connection, now_ms + RESERVED_MS)
        basket = draw(shelves, packs_of([item]))
        if basket is None:
            raise Conflict("no lots in date hold that much of this milk", code="OUT_OF_STOCK")
        await reserve(connection, shelves)
        order = drawn_order(order_id, merchant, item, basket, now_ms)
        await self._have_bought(connection, held, order, now_ms)
        return await self._write(connection, held, order, now_ms)

    async def _write(
        self, connection: AsyncConnection, held: Coupon, order: Order, now_ms: int
    ) -> Order:
        """Write a coupon's order under the next ticket, and the events that tell of it."""
        shop = order.merchant_id
        numbers = await draw_numbers(connection, Counter({shop: 2}), Counter({shop: 1}))
        order = replace(order, ticket=f"A-{numbers[shop].tickets % TICKETS:02d}")
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
        if not one_pack or not order.basket:
            raise Unprocessable("a coupon buys one pack", code="COUPON_TOO_SMALL")
        _check(coupon, order.merchant_id, order.items[0].price_sen, now_ms)
        taken = order.paying_tx is not None or order.received_units
        if order.state is not OrderState.AWAITING_PAYMENT or taken or now_ms >= order.expires_ms:
            raise Conflict("the order can't be paid any more", code="ORDER_NOT_PAYABLE")
        holder = Holder(order.id, order.amount_sen, order.amount_units)
        held = await step(connection, coupon, CouponEvent.RESERVE, now_ms, holder)
        if held is None:
            raise Conflict("somebody else uses it right now", code="COUPON_IN_USE")
        free = made_free(order)
        await write_price(connection, order, free)
        await self._have_bought(connection, held, free, now_ms)
        told = NewEvent("order.coupon_used", free.merchant_id, free.id, told_of(free), now_ms)
        return free, [told, told_of_coupon("reserved", held, now_ms)]

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
        by_union = coupon.funded_by in PAID_BY_UNION
        owner_id = coupon.union_id if by_union else coupon.merchant_id
        account = await paying_account(connection, owner_id, now_ms)
        redeem = tuple(
            SignRedemption(part.lot, format_bill(Units(part.units))) for part in order.basket
        )
        what = SignCoupon(order.reference.hex(), redeem)
        until_ms = now_ms + RESERVED_MS
        await self._book.open(
            connection, owner_id, account.account, what, order.id, now_ms, until_ms
        )
        self._poke()

    async def lock(self, connection: AsyncConnection, requests: Sequence[SigningRequest]) -> None:
        """Lock the orders that coupons pay."""
        await read_orders(connection, [request.ref_id for request in requests], lock=True)

    async def signed(
        self, connection: AsyncConnection, request: SigningRequest, now_ms: int
    ) -> list[NewEvent]:
        """Hold the order for the purchase that is on its way."""
        order = (await read_orders(connection, [request.ref_id]))[request.ref_id]
        await store_orders(connection, [(order, order.changed(paying_tx=request.tx_hash))])
        return []

    async def ended(
        self, connection: AsyncConnection, request: SigningRequest, end: SigningEnd, now_ms: int
    ) -> list[NewEvent]:
        """Settle the purchase: the coupon is used, or is its holder's again."""
        order = (await read_orders(connection, [request.ref_id]))[request.ref_id]
        coupon = await coupon_of_order(connection, order.id)
        assert coupon is not None, "an order that a coupon pays holds it"
        if end.outcome is SigningOutcome.SUCCEEDED:
            return await self._bought(connection, order, coupon, request, end, now_ms)
        released = await step(connection, coupon, CouponEvent.RELEASE, now_ms)
        assert released is not None, "its order held it"
        return [
            told_of_coupon("released", released, now_ms),
            *await self._let_go(connection, order, coupon, now_ms),
        ]

    async def _bought(
        self,
        connection: AsyncConnection,
        order: Order,
        coupon: Coupon,
        request: SigningRequest,
        end: SigningEnd,
        now_ms: int,
    ) -> list[NewEvent]:
        assert end.final is not None, "the chain has told it"
        account = OrderAccount(order)
        row, event = account.meet(end.final, request.created_ms, now_ms)
        await store_payments(connection, [row])
        changes = [(order, account.order)]
        await store_orders(connection, changes)
        released = released_by(one.basket for one in left_queue(changes))
        await adjust(connection, released, {})
        used = await step(connection, coupon, CouponEvent.REDEEM, now_ms)
        assert used is not None, "its order holds it"
        return [event, told_of_coupon("redeemed", used, now_ms)]

    async def _let_go(
        self, connection: AsyncConnection, order: Order, coupon: Coupon, now_ms: int
    ) -> list[NewEvent]:
        """End an order that was opened for its coupon; give one that was not its price again."""
        free = order.changed(paying_tx=None)
        if order.state is not OrderState.AWAITING_PAYMENT:
            await store_orders(connection, [(order, free)])
            return []
        if coupon.was_sen is not None:
            priced = priced_again(order, coupon)
            await write_price(connection, order, priced)
            kind, told = "order.coupon_released", told_of(priced)
            return [NewEvent(kind, order.merchant_id, order.id, told, now_ms)]
        over = cancel(free)
        changes = [(order, over)]
        await store_orders(connection, changes)
        await adjust(connection, released_by(one.basket for one in left_queue(changes)), {})
        return [NewEvent("order.cancelled", order.merchant_id, order.id, told_of(over), now_ms)]


def _check(coupon: Coupon, merchant_id: str, price_sen: int, now_ms: int) -> None:
    code = why_not(coupon, merchant_id, price_sen, now_ms)
    if code == "COUPON_OF_ANOTHER_SHOP":
        raise NotFound("there is no such coupon")
    if code == "COUPON_TOO_SMALL":
        raise Unprocessable("the pack is dearer than the coupon is worth", code=code)
    if code:
        held = coupon.state is CouponState.RESERVED
        raise Conflict("an order holds it" if held else f"it is {coupon.state}", code=code)
