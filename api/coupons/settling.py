"""What becomes of coupons' purchases, in the transactions that take signatures in and settle them.

A coupon is used if and only if its purchase paid its order. If the order was paid otherwise, or
cancelled, its holder has it again, and a purchase that was made is none of the order's money: else
a refund of all that its customer paid would leave something of it.

Locks: the order, the signing requests, the coupon; then payments that go back.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.coupons.model import Coupon, CouponEvent, CouponState, payer_of
from api.coupons.order_store import COUPON, made_free, sold_again, write_price
from api.coupons.schemas import told_of_coupon
from api.coupons.store import coupon_of_order, step
from api.events.outbox import NewEvent
from api.orders.model import Order, OrderState
from api.orders.rules import PAYABLE, cancel
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders
from api.payments.books import open_accounts
from api.payments.model import Outcome
from api.payments.observation import FinalTransaction
from api.payments.settlement import MetPayment, PaymentWitness
from api.payments.store import store_payments
from api.refunds.rules import packs_burned
from api.refunds.store import return_packs
from api.signing.model import SigningEnd, SigningEvent, SigningOutcome, SigningRequest
from api.signing.rules import after as next_state
from api.signing.store import SigningBook

GIVEN_UP: Final = "CANCELLED"
"""What a signing request says of itself that nobody wants any more."""


class CouponSettling:
    """The coupons' `SigningHandler`; `order_changed` is an `OrderWitness`.

    `witness` is told of purchases that paid their orders: what came in beside them goes back.
    """

    def __init__(self, book: SigningBook, witness: PaymentWitness) -> None:
        self._book, self._witness = book, witness

    async def orders_of(
        self, connection: AsyncConnection, requests: Sequence[SigningRequest]
    ) -> Sequence[str]:
        """Name the orders that coupons pay."""
        return [request.ref_id for request in requests]

    async def lock(self, connection: AsyncConnection, requests: Sequence[SigningRequest]) -> None:
        """Lock nothing else: who changes a coupon's request has its order."""

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
            assert end.final is not None, "the chain has told it"
            return await self._bought(connection, order, coupon, end.final, now_ms)
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
        final: FinalTransaction,
        now_ms: int,
    ) -> list[NewEvent]:
        if coupon.was_sen is not None:
            sold = made_free(order) if order.state in PAYABLE else sold_again(order)
            order = await _rewritten(connection, order, sold)
        account = (await open_accounts(connection, [order]))[order.id]
        row, event = account.buy(final, now_ms)
        await store_payments(connection, [row])
        await store_orders(connection, [(order, account.order)])
        if row.outcome is Outcome.IN_VAIN:
            return [event, *await self._in_vain(connection, order, coupon, final, now_ms)]
        used = await step(connection, coupon, CouponEvent.REDEEM, now_ms)
        assert used is not None, "its order holds it"
        payer, shop = final.transaction.sender, order.merchant_id
        met = MetPayment(row.tx_hash, shop, payer, order, account.order, row.outcome)
        goes_back = await self._witness(connection, [met], now_ms)
        return [event, told_of_coupon("redeemed", used, now_ms), *goes_back]

    async def _in_vain(
        self,
        connection: AsyncConnection,
        order: Order,
        coupon: Coupon,
        final: FinalTransaction,
        now_ms: int,
    ) -> list[NewEvent]:
        """Give a coupon back whose order was paid otherwise.

        The burned pack is there, and the shop's to sell if it has paid for it. What a union paid in
        vain is no shop's gain: else a shop and a customer would draw on its float for ever.
        """
        released = await step(connection, coupon, CouponEvent.RELEASE, now_ms)
        assert released is not None, "its order holds it"
        assert final.transfer is not None, "a coupon's purchase is a transfer"
        items = [(item.kind, item.redeem_units, item.quantity) for item in order.items]
        basket = [
            (bytes(part.lot), order.offered[part.lot.hex()], int(part.units))
            for part in final.transfer.redeem
        ]
        packs = packs_burned(items, basket)
        if payer_of(coupon) == order.merchant_id:
            await return_packs(connection, order.merchant_id, order.id, packs)
        return [told_of_coupon("released", released, now_ms)]

    async def order_changed(
        self, connection: AsyncConnection, before: Order, after: Order, now_ms: int
    ) -> list[NewEvent]:
        """Free the coupon of an order that is cancelled, and ask for its milk no more.

        Bytes that a signer hands over afterwards are not taken in: nobody submits them.
        """
        if before.kind != COUPON or after.state is not OrderState.CANCELLED:
            return []
        coupon = await coupon_of_order(connection, before.id)
        if coupon is None or coupon.state is not CouponState.RESERVED:
            return []
        requests = await self._book.read_for(connection, payer_of(coupon), before.id)
        given_up = [
            one.changed(state=state, code=GIVEN_UP, ended_ms=now_ms)
            for one in requests
            if (state := next_state(one.state, SigningEvent.GIVE_UP)) is not None
        ]
        await self._book.store(connection, given_up)
        released = await step(connection, coupon, CouponEvent.RELEASE, now_ms)
        assert released is not None, "its order held it"
        return [told_of_coupon("released", released, now_ms)]

    async def _let_go(
        self, connection: AsyncConnection, order: Order, coupon: Coupon, now_ms: int
    ) -> list[NewEvent]:
        """End an order that was opened for its coupon; let one that was not be sold again."""
        waits = order.state is OrderState.AWAITING_PAYMENT
        if coupon.was_sen is not None:
            sold = await _rewritten(connection, order, sold_again(order))
            kind, told = "order.coupon_released", told_of(sold)
            return [NewEvent(kind, order.merchant_id, order.id, told, now_ms)] if waits else []
        free = order.changed(paying_tx=None)
        if not waits:
            await store_orders(connection, [(order, free)])
            return []
        over = cancel(free)
        await store_orders(connection, [(order, over)])
        return [NewEvent("order.cancelled", order.merchant_id, order.id, told_of(over), now_ms)]


async def _rewritten(connection: AsyncConnection, before: Order, after: Order) -> Order:
    """Write an order's kind and price, and give it."""
    await write_price(connection, before, after)
    return after
