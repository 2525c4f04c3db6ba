"""An order under settlement: it meets final payments one after another, by the rule.

`OrderAccount` begins with an order as it is stored and what came in for it before, and ends with
the order as it is to be stored. Pure: the verdicts are `api.payments.rules`'.
"""

from dataclasses import replace

from api.events.outbox import NewEvent
from api.orders.model import Order, OrderState
from api.orders.schemas import told_of
from api.payments.model import Outcome
from api.payments.observation import FinalTransaction
from api.payments.rules import (
    Due,
    Paid,
    PaymentVerdict,
    Standing,
    add,
    buy,
    decide,
    reconsider,
)
from api.payments.store import NewPayment


def due_of(order: Order) -> Due:
    """Give what pays an order."""
    offered = {bytes.fromhex(lot): kind for lot, kind in order.offered.items()}
    return Due(order.amount_units, order.milk_units, offered, order.expires_ms)


def paid_by(final: FinalTransaction, seen_ms: int | None) -> Paid:
    """Read a final transfer as a payment."""
    transfer = final.transfer
    assert transfer is not None, "payments are transfers"
    basket = tuple((bytes(part.lot), int(part.units)) for part in transfer.redeem)
    return Paid(transfer.units, basket, final.time_ms, seen_ms, final.code)


class OrderAccount:
    """One order while a batch is settled."""

    def __init__(self, order: Order) -> None:
        self.before = order
        self.order = order
        self.standing = Standing(
            order.state,
            due_of(order),
            refunded_units=order.refunded_units,
            exception=order.exception,
            free=order.free,
        )

    def add(self, paid: Paid) -> None:
        """Take in what came before."""
        self.standing = add(self.standing, paid)

    def promise_back(self, units: int) -> None:
        """Count what an open refund gives back as gone."""
        gone = self.standing.refunded_units + units
        self.standing = replace(self.standing, refunded_units=gone)

    def reconsider(self, now_ms: int) -> None:
        """Judge the order again by what it has: a refund of it came to nothing."""
        before, after = self.standing, reconsider(self.standing)
        self.standing = after
        if after != before:
            closed = after.state is not before.state
            self.order = self.order.changed(
                state=after.state,
                exception=after.exception,
                paid_ms=now_ms if closed else self.order.paid_ms,
            )

    @property
    def changed(self) -> bool:
        """Tell whether the order has to be stored."""
        return self.order is not self.before

    def meet(
        self, final: FinalTransaction, seen_ms: int | None, now_ms: int
    ) -> tuple[NewPayment, NewEvent]:
        """Let a payment change the order; give it with its verdict, and the event that tells."""
        return self._take(final, decide(self.standing, paid_by(final, seen_ms)), now_ms)

    def buy(self, final: FinalTransaction, now_ms: int) -> tuple[NewPayment, NewEvent]:
        """Let a coupon's purchase pay the order, or be in vain; give both as `meet` does."""
        return self._take(final, buy(self.standing, paid_by(final, None)), now_ms)

    def _take(
        self, final: FinalTransaction, verdict: PaymentVerdict, now_ms: int
    ) -> tuple[NewPayment, NewEvent]:
        after, order = verdict.after, self.order
        closed = after.state is OrderState.PAID and self.standing.state is not OrderState.PAID
        self.standing = after
        self.order = order.changed(
            state=after.state,
            exception=after.exception,
            received_units=after.received_units,
            paying_tx=None if order.paying_tx == final.tx_hash else order.paying_tx,
            paid_ms=final.time_ms if closed else order.paid_ms,
        )
        payment = NewPayment.final(
            final, order.merchant_id, order.id, verdict.outcome, verdict.delta_units
        )
        kind = _event_kind(verdict.outcome, closed=closed)
        return payment, NewEvent(
            kind,
            order.merchant_id,
            order.id,
            told_of(self.order, final.tx_hash, verdict.outcome),
            now_ms,
            final.tx_hash,
        )


def _event_kind(outcome: Outcome, *, closed: bool) -> str:
    if outcome is Outcome.FAILED:
        return "payment.failed"
    if outcome is Outcome.IN_VAIN:
        return "order.coupon_released"
    return "order.paid" if closed else "order.received"
