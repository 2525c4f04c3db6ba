"""What becomes of refunds, and what goes back by itself: in the transactions that settle.

`RefundSettling` is the refunds' `SigningHandler`: what the signer and the chain say of a refund's
signature changes refund, order, payment, shelf and points together. It is a `PaymentWitness` as
well: what came in twice, after a cancel, or beyond the quote is given back by itself.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.catalogue.returned import give_packs_back
from api.events.outbox import NewEvent
from api.orders.changes import OrderWitness
from api.orders.model import Order, OrderException, OrderState
from api.orders.rules import refunded
from api.orders.schemas import told_of
from api.orders.store import read_orders, store_orders
from api.payments.model import Outcome
from api.payments.settlement import MetPayment
from api.refunds.asking import RefundAsker, drawn_refund, told_of_refund
from api.refunds.model import RESTOCKS, Refund, RefundEvent, RefundReason, RefundState
from api.refunds.resolving import CLOSED, excess_parts
from api.refunds.rules import after, packs_burned
from api.refunds.store import (
    find_refund,
    lock_payments,
    note_given_back,
    orders_of_refunds,
    return_packs,
    store_refund,
)
from api.refunds.undone import count_again
from api.signing.accounts import find_account
from api.signing.model import SigningEnd, SigningOutcome, SigningRequest
from api.signing.wire import SignRefund
from node.client.tracing import under

_EVENTS: Final = {
    SigningOutcome.SUCCEEDED: RefundEvent.SUCCEEDED,
    SigningOutcome.FAILED: RefundEvent.FAILED,
    SigningOutcome.REFUSED: RefundEvent.FAILED,
    SigningOutcome.EXPIRED: RefundEvent.FAILED,
    SigningOutcome.LAPSED: RefundEvent.LAPSED,
}

PointReversal = Callable[[AsyncConnection, Order, int], Awaitable[Sequence[NewEvent]]]
"""Takes the point of an order back that was refunded whole."""


class RefundSettling:
    """Settles refunds, and begins those that nobody has to ask for."""

    def __init__(
        self, asker: RefundAsker, reverse_point: PointReversal, witness: OrderWitness
    ) -> None:
        self._asker, self._reverse_point = asker, reverse_point
        self._order_witness = witness

    async def witness(
        self, connection: AsyncConnection, met: Sequence[MetPayment], now_ms: int
    ) -> list[NewEvent]:
        """Give back by itself what came in twice, too late for its order, or too much."""
        events: list[NewEvent] = []
        for one in met:
            if one.after is not None:
                with under(one.trace):
                    events += await self._give_back_excess(connection, one, one.after, now_ms)
        return events

    async def _give_back_excess(
        self, connection: AsyncConnection, met: MetPayment, order: Order, now_ms: int
    ) -> list[NewEvent]:
        """Give back by itself what came in beyond a quote, if an account pays for the merchant.

        The order is locked. Doing it twice is doing it once.
        """
        reason = _excess(met.outcome, order)
        account = await find_account(connection, order.merchant_id) if reason else None
        if reason is None or account is None:
            return []
        return [
            await self._asker.begin(
                connection,
                drawn_refund(
                    part.paid, part.reason, part.share.units, part.share.amount_sen, "", now_ms
                ),
                part.paid,
                account.account,
                now_ms,
            )
            for part in await excess_parts(connection, order, reason)
        ]

    async def orders_of(
        self, connection: AsyncConnection, requests: Sequence[SigningRequest]
    ) -> Sequence[str]:
        """Name the orders that refunds are of."""
        keys = [(request.owner_id, request.ref_id) for request in requests]
        return await orders_of_refunds(connection, keys)

    async def lock(self, connection: AsyncConnection, requests: Sequence[SigningRequest]) -> None:
        """Lock nothing else: a refund is locked after its requests."""

    async def signed(
        self, connection: AsyncConnection, request: SigningRequest, now_ms: int
    ) -> list[NewEvent]:
        """Take note that a refund's bytes are there."""
        return await self._move(
            connection, request, RefundEvent.SIGNED, now_ms, refund_tx=request.tx_hash
        )

    async def ended(
        self, connection: AsyncConnection, request: SigningRequest, end: SigningEnd, now_ms: int
    ) -> list[NewEvent]:
        """Take note of what became of a refund's signature."""
        event = _EVENTS[end.outcome]
        if event is RefundEvent.LAPSED:
            return await self._move(connection, request, event, now_ms, refund_tx=None)
        changes = {
            "code": end.code,
            "detail": end.detail,
            "ended_ms": end.final.time_ms if end.final else now_ms,
        }
        return await self._move(connection, request, event, now_ms, **changes)

    async def _move(
        self,
        connection: AsyncConnection,
        request: SigningRequest,
        event: RefundEvent,
        now_ms: int,
        **changes: object,
    ) -> list[NewEvent]:
        before = await find_refund(connection, request.owner_id, request.ref_id, lock=True)
        assert before is not None, "a request outlives nothing that it is for"
        state = after(before.state, event)
        assert state is not None, f"a refund that is {before.state} is {event}"
        refund = before.changed(state=state, **changes)
        await store_refund(connection, before, refund)
        events = [told_of_refund(f"refund.{state}", refund, now_ms)]
        if event is RefundEvent.LAPSED:
            assert isinstance(request.what, SignRefund), "it is a refund's request"
            height = request.what.height
            await self._asker.have_signed(connection, refund, request.account, height, now_ms)
        if state is RefundState.SUCCEEDED:
            events += await self._given_back(connection, refund, now_ms)
        if state is RefundState.FAILED:
            events += await count_again(connection, refund, now_ms, self._order_witness)
        return events

    async def _given_back(
        self, connection: AsyncConnection, refund: Refund, now_ms: int
    ) -> list[NewEvent]:
        """Write what a refund that took effect changes: payment, order, shelf and points."""
        await note_given_back(connection, refund)
        if refund.order_id is None:
            return []
        order = (await read_orders(connection, [refund.order_id], lock=True))[refund.order_id]
        changed = refunded(order, refund.units)
        await store_orders(connection, [(order, changed)])
        await _restock(connection, order, refund)
        if changed.state is order.state:
            told = told_of(changed)
            return [NewEvent("order.excess_returned", order.merchant_id, order.id, told, now_ms)]
        events = [NewEvent("order.refunded", order.merchant_id, order.id, told_of(changed), now_ms)]
        if changed.state is OrderState.REFUNDED:
            events += await self._reverse_point(connection, changed, now_ms)
        return events


def _excess(outcome: Outcome, order: Order) -> RefundReason | None:
    """Say why something goes back by itself, now that a payment was met; None if nothing does."""
    if outcome in CLOSED:
        return CLOSED[outcome]
    return RefundReason.OVERPAID if order.exception is OrderException.OVERPAID else None


async def _restock(connection: AsyncConnection, order: Order, refund: Refund) -> None:
    """Count packs that were burned and are still there as returned."""
    paid = (await lock_payments(connection, order.merchant_id, tx_hash=refund.tx_hash))[0]
    if refund.reason not in RESTOCKS or refund.units != paid.units:
        return
    if order.returned:
        if refund.reason is RefundReason.NOT_HANDED_OVER:
            await give_packs_back(connection, [order])
        return
    items = [(item.kind, item.redeem_units, item.quantity) for item in order.items]
    basket = [
        (bytes.fromhex(lot), order.offered[lot], units)
        for lot, units in paid.basket
        if lot in order.offered
    ]
    await return_packs(connection, refund.merchant_id, refund.id, packs_burned(items, basket))
