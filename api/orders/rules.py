"""What may become of an order: one table for its money, and the acts of people over it.

`TABLE` says where an order's money goes from each state with each event. A pair that is not in it
doesn't happen: `move` raises `NoSuchMove`. Handing milk over is no move of money, but a time of its
own. Each act of a person gives the order after it; done twice, it is done once. Times are UTC
milliseconds. Pure: no clock, no database.
"""

from collections.abc import Mapping
from typing import Final

from api.orders.model import Order, OrderEvent, OrderException, OrderState

REOPEN_MS: Final = 60_000
"""How long a hand-over can be taken back."""

_E: Final = OrderEvent
_S: Final = OrderState

TABLE: Final[Mapping[tuple[OrderState, OrderEvent], OrderState]] = {
    # A part of the money is shown as a sum and changes nothing: a stranger's dust marks no order.
    (_S.AWAITING_PAYMENT, _E.PAID_IN_PART): _S.AWAITING_PAYMENT,
    (_S.AWAITING_PAYMENT, _E.PAID_WHOLE): _S.PAID,
    (_S.AWAITING_PAYMENT, _E.TIME_OVER): _S.EXPIRED,
    (_S.AWAITING_PAYMENT, _E.CANCEL): _S.CANCELLED,
    (_S.AWAITING_PAYMENT, _E.EXCESS_RETURNED): _S.AWAITING_PAYMENT,
    # A block from before the end of its time may still pay an expired order, and a later one too.
    (_S.EXPIRED, _E.PAID_IN_PART): _S.EXPIRED,
    (_S.EXPIRED, _E.PAID_WHOLE): _S.PAID,
    (_S.EXPIRED, _E.EXCESS_RETURNED): _S.EXPIRED,
    (_S.CANCELLED, _E.EXCESS_RETURNED): _S.CANCELLED,
    (_S.PAID, _E.EXCESS_RETURNED): _S.PAID,
    (_S.PAID, _E.REFUNDED_IN_PART): _S.PARTIALLY_REFUNDED,
    (_S.PAID, _E.REFUNDED_WHOLE): _S.REFUNDED,
    (_S.PARTIALLY_REFUNDED, _E.EXCESS_RETURNED): _S.PARTIALLY_REFUNDED,
    (_S.PARTIALLY_REFUNDED, _E.REFUNDED_IN_PART): _S.PARTIALLY_REFUNDED,
    (_S.PARTIALLY_REFUNDED, _E.REFUNDED_WHOLE): _S.REFUNDED,
    (_S.REFUNDED, _E.EXCESS_RETURNED): _S.REFUNDED,
}

PAYABLE: Final = frozenset(
    state for (state, event), after in TABLE.items() if event is _E.PAID_WHOLE and after is _S.PAID
)
"""The states in which money that comes in still pays the order."""
SOLD: Final = frozenset({_S.PAID, _S.PARTIALLY_REFUNDED})
"""The states in which milk may be handed over."""


class NoSuchMove(Exception):
    """An order can't go there from where it is. `code` says why, for programs."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


def move(state: OrderState, event: OrderEvent) -> OrderState:
    """Give the state after an event; raise `NoSuchMove` if it can't happen in this state."""
    after = TABLE.get((state, event))
    if after is None:
        raise NoSuchMove("ORDER_STATE_FORBIDS", f"an order that is {state} can't be {event}")
    return after


def expire(order: Order) -> Order:
    """End the time of an order. One with a payment on its way is not asked: it may yet be paid."""
    assert order.paying_tx is None, "who is paying is waited for"
    return order.changed(state=move(order.state, OrderEvent.TIME_OVER))


def cancel(order: Order) -> Order:
    """Cancel an order that nobody pays."""
    if order.state is OrderState.CANCELLED:
        return order
    if order.paying_tx is not None:
        raise NoSuchMove("PAYMENT_IN_FLIGHT", "a payment of this order is on its way")
    if order.state is not OrderState.AWAITING_PAYMENT:
        raise NoSuchMove("ORDER_NOT_CANCELLABLE", f"the order is {order.state}")
    return order.changed(state=move(order.state, OrderEvent.CANCEL))


def fulfil(order: Order, now_ms: int) -> Order:
    """Hand the milk over."""
    if order.state not in SOLD:
        raise NoSuchMove("ORDER_NOT_PAID", f"the order is {order.state}")
    return order if order.fulfilled_ms is not None else order.changed(fulfilled_ms=now_ms)


def reopen(order: Order, now_ms: int) -> Order:
    """Take a hand-over back that was a slip of the finger."""
    if order.fulfilled_ms is None:
        return order
    if now_ms - order.fulfilled_ms > REOPEN_MS:
        raise NoSuchMove("TOO_LATE_TO_REOPEN", "more than a minute ago this was handed over")
    return order.changed(fulfilled_ms=None)


def accept(order: Order, now_ms: int) -> Order:
    """Let an order be as it is: what was odd about it is settled between people.

    Money without the milk's redemption pays the order then: the merchant burns the milk.
    """
    if order.exception is None:
        return order
    unburned = order.exception is OrderException.WRONG_REDEMPTION and order.state in PAYABLE
    if not unburned:
        return order.changed(exception=None)
    paid = move(order.state, OrderEvent.PAID_WHOLE)
    return order.changed(exception=None, state=paid, paid_ms=now_ms)


def refunded(order: Order, units: int) -> Order:
    """Give money back that came in for an order: what was too much, a part, or all of it."""
    total = order.refunded_units + units
    net_units = order.received_units - total
    if order.state not in SOLD or net_units >= order.amount_units:
        event = OrderEvent.EXCESS_RETURNED
    else:
        event = OrderEvent.REFUNDED_IN_PART if net_units > 0 else OrderEvent.REFUNDED_WHOLE
    even = net_units in (0, order.amount_units)
    return order.changed(
        state=move(order.state, event),
        refunded_units=total,
        exception=None if even else order.exception,
    )
