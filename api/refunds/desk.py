"""Refunds that somebody asks for: what a wish comes to, its beginning, and its cancelling.

Locks: the order, its payments, the signing requests, the refund.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.errors import Conflict, NotFound, Unprocessable
from api.events.outbox import NewEvent
from api.orders.changes import OrderWitness, release_left
from api.orders.model import Order
from api.orders.store import read_orders
from api.payments.model import Outcome
from api.refunds.asking import RefundAsker, drawn_refund, told_of_refund
from api.refunds.model import COUNTS, OPEN, Refund, RefundReason, RefundState
from api.refunds.resolving import odd_payments
from api.refunds.rules import NoRefund, quote_of, share_of
from api.refunds.store import (
    PaidIn,
    find_refund,
    lock_payments,
    order_paid_by,
    orders_of_refunds,
    refunds_of,
    store_refund,
)
from api.refunds.undone import count_again
from api.signing.model import SigningEvent
from api.signing.rules import after as next_state
from ledger.primitives.amounts import UNITS_PER_BILL
from ledger.primitives.keys import Address

GIVEN_UP: Final = "CANCELLED"
"""What a signing request says of itself that nobody wants any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """Who wants what back, and why: of an order, or of one payment."""

    merchant_id: str
    requested_by: str
    reason: RefundReason
    order_id: str | None = None
    tx_hash: bytes | None = None
    amount_sen: int | None = None


@dataclass(frozen=True, slots=True)
class PreparedRefund:
    """A refund that could begin now, and what it is worth in ringgit, for those who allow it."""

    refund: Refund
    paid: PaidIn
    worth_sen: int
    before_sen: int = 0
    """What people have had given back of this payment before."""


class RefundDesk:
    """Asks for refunds, and cancels them; `witness` is told of orders that are judged again."""

    def __init__(self, asker: RefundAsker, litre_price_sen: int, witness: OrderWitness) -> None:
        self._asker, self._litre_price_sen = asker, litre_price_sen
        self._witness = witness

    async def prepare(
        self, connection: AsyncConnection, wish: RefundWish, now_ms: int
    ) -> PreparedRefund:
        """Say what a wish comes to; raise `NotFound`, `Conflict` or `Unprocessable`.

        The order and its payment are locked from here on.
        """
        order, paid = await _locked(connection, wish)
        if paid.own or paid.outcome is Outcome.IN_VAIN:
            raise Unprocessable("a coupon paid it: no money came in", code="PAID_BY_COUPON")
        before = await refunds_of(connection, wish.merchant_id, [paid.tx_hash])
        if any(refund.state in OPEN for refund in before):
            raise Conflict("a refund of this payment is on its way", code="REFUND_IN_FLIGHT")
        quote = None if order is None else quote_of(order)
        try:
            share = share_of(paid.units, quote, before, wish.amount_sen)
        except NoRefund as fault:
            raise Unprocessable(str(fault), code=fault.code) from fault
        refund = drawn_refund(
            paid, wish.reason, share.units, share.amount_sen, wish.requested_by, now_ms
        )
        sen = self._worth_sen(share.amount_sen, share.units)
        return PreparedRefund(refund, paid, sen, self._given_before_sen(before))

    def _given_before_sen(self, before: Sequence[Refund]) -> int:
        """Sum up what was given back of a payment because somebody asked for it."""
        return sum(
            self._worth_sen(one.amount_sen, one.units)
            for one in before
            if one.state in COUNTS and not one.automatic
        )

    def _worth_sen(self, amount_sen: int | None, units: int) -> int:
        """Value a refund: as it was quoted, else by today's price of milk."""
        if amount_sen is not None:
            return amount_sen
        return units * self._litre_price_sen // UNITS_PER_BILL

    async def prepare_odd(
        self, connection: AsyncConnection, order: Order, by: str, now_ms: int
    ) -> list[PreparedRefund]:
        """Say what goes back of a locked order because it is odd; raise as `odd_payments`."""
        return [
            PreparedRefund(
                drawn_refund(
                    part.paid, part.reason, part.share.units, part.share.amount_sen, by, now_ms
                ),
                part.paid,
                self._worth_sen(part.share.amount_sen, part.share.units),
            )
            for part in await odd_payments(connection, order)
        ]

    async def begin(
        self,
        connection: AsyncConnection,
        prepared: PreparedRefund,
        account: Address,
        now_ms: int,
    ) -> tuple[Refund, NewEvent]:
        """Ask the signer for a refund that was prepared in this transaction."""
        refund = prepared.refund
        event = await self._asker.begin(connection, refund, prepared.paid, account, now_ms)
        return refund, event

    async def cancel(
        self, connection: AsyncConnection, merchant_id: str, refund_id: str, now_ms: int
    ) -> tuple[Refund, list[NewEvent]]:
        """Cancel a refund that no signer has in hand; raise `NotFound` or `Conflict`."""
        orders = await orders_of_refunds(connection, [(merchant_id, refund_id)])
        before = await read_orders(connection, orders, lock=True)
        requests = await self._asker.book.read_for(connection, merchant_id, refund_id)
        refund = await find_refund(connection, merchant_id, refund_id, lock=True)
        if refund is None:
            raise NotFound("there is no such refund")
        if refund.state is RefundState.CANCELLED:
            return refund, []
        in_hand = any(one.leased_until_ms > now_ms for one in requests)
        if refund.state is not RefundState.PENDING or in_hand:
            raise Conflict(f"the refund is {refund.state}", code="REFUND_IN_FLIGHT")
        given_up = [
            one.changed(state=state, code=GIVEN_UP, ended_ms=now_ms)
            for one in requests
            if (state := next_state(one.state, SigningEvent.GIVE_UP)) is not None
        ]
        await self._asker.book.store(connection, given_up)
        cancelled = refund.changed(state=RefundState.CANCELLED, ended_ms=now_ms)
        await store_refund(connection, refund, cancelled)
        told = told_of_refund("refund.cancelled", cancelled, now_ms)
        more = await count_again(connection, cancelled, now_ms, self._witness)
        await release_left(connection, before)
        return cancelled, [told, *more]


async def _locked(connection: AsyncConnection, wish: RefundWish) -> tuple[Order | None, PaidIn]:
    """Lock the one payment that a wish is about, and its order before it."""
    order_id = wish.order_id
    if wish.tx_hash is not None:
        order_id = await order_paid_by(connection, wish.merchant_id, wish.tx_hash)
    order = None
    if order_id is not None:
        order = (await read_orders(connection, [order_id], lock=True)).get(order_id)
        if order is None or order.merchant_id != wish.merchant_id:
            raise NotFound("there is no such order")
    by_hash = wish.tx_hash is not None
    payments = await lock_payments(
        connection,
        wish.merchant_id,
        order_id=None if by_hash else order_id,
        tx_hash=wish.tx_hash,
    )
    if not payments:
        raise NotFound("nothing was paid that could be given back")
    if len(payments) > 1:
        raise Unprocessable(
            "several payments came in for this order: name one by its txHash",
            code="NAME_THE_PAYMENT",
        )
    if payments[0].order_id != order_id:
        raise Conflict("this payment is being given to an order", code="PAYMENT_ASSIGNED")
    return order, payments[0]
