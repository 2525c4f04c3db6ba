"""What a final transaction does to the order whose reference it bears. Pure, over plain values.

An order is judged by all that came in for it, a payment by itself. The order is paid by the first
payment with which the sum is whole, and from then on it is closed: whatever comes after is a
`duplicate`. A payment is good if it alone is the whole quote, of an order that was open; so at
most one payment of an order is good, and the order of a good payment is paid. What differs stands
beside the order as an exception, for a person to mend; it never vanishes.

An order that costs no ringgit is a coupon's: its purchase pays it, and nothing else does. Else who
pays what the milk costs would have it without the shop's margin, and the coupon as well. A purchase
that comes when something else has paid its order is in vain, and none of the order's money.

A payment is in time if we had its bytes in time, or if its block is: what was accepted in time is
paid in time, however long the chain took.

Invariant: the result hangs on the sequence of an order's payments alone, never on how it was cut
into batches, nor on when the order expired.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from api.orders.model import OrderEvent, OrderException, OrderState
from api.orders.rules import PAYABLE, SOLD, move
from api.payments.model import GOOD, Outcome


@dataclass(frozen=True, slots=True)
class Due:
    """What pays an order: its quote, its milk by kind, and the lots that it was ever offered."""

    amount_units: int
    milk_units: Mapping[str, int]
    offered: Mapping[bytes, str]
    """The kind of each lot. A lot that was offered once is good for ever."""
    expires_ms: int

    @property
    def redeem_units(self) -> int:
        """Give how much of the price is burned, as milk that leaves the ledger."""
        return sum(self.milk_units.values())


@dataclass(frozen=True, slots=True)
class Paid:
    """A final transaction for an order. `seen_ms` is when we took its bytes in, if ever."""

    units: int
    basket: tuple[tuple[bytes, int], ...]
    time_ms: int
    seen_ms: int | None = None
    code: str = ""

    @property
    def burned_units(self) -> int:
        """Give what never reached the merchant."""
        return sum(units for _, units in self.basket)


@dataclass(frozen=True, slots=True)
class Standing:
    """An order as a payment meets it, with the sums of all that came before."""

    state: OrderState
    due: Due
    received_units: int = 0
    burned_units: int = 0
    refunded_units: int = 0
    """What went back, and what is about to."""
    milk_units: Mapping[str, int] = field(default_factory=dict)
    exception: OrderException | None = None
    free: bool = False
    """A coupon pays it."""

    @property
    def payable(self) -> bool:
        """Tell whether money that comes in pays the order."""
        return self.state in PAYABLE and not self.free

    @property
    def net_units(self) -> int:
        """Give what came in and was not given back."""
        return self.received_units - self.refunded_units

    @property
    def whole(self) -> bool:
        """Tell whether the milk is redeemed, and the rest that is due has reached the merchant."""
        due = self.due
        redeemed = all(self.milk_units.get(k, 0) >= units for k, units in due.milk_units.items())
        kept_units = self.net_units - self.burned_units
        return redeemed and kept_units >= due.amount_units - due.redeem_units


@dataclass(frozen=True, slots=True)
class PaymentVerdict:
    """What a payment is by itself, what it brought too much or too little, and the order after."""

    outcome: Outcome
    delta_units: int
    after: Standing


def milk_of(paid: Paid, due: Due) -> dict[str, int]:
    """Sum up by kind what a payment redeems of the lots that its order was offered."""
    milk: dict[str, int] = {}
    for lot, units in paid.basket:
        if kind := due.offered.get(lot):
            milk[kind] = milk.get(kind, 0) + units
    return milk


def in_time(paid: Paid, due: Due) -> bool:
    """Tell whether a payment came before its order's time was over."""
    seen_in_time = paid.seen_ms is not None and paid.seen_ms <= due.expires_ms
    return seen_in_time or paid.time_ms <= due.expires_ms


def decide(order: Standing, paid: Paid) -> PaymentVerdict:
    """Say what a final transaction does to its order."""
    if paid.code:
        return PaymentVerdict(Outcome.FAILED, 0, order)
    after = add(order, paid)
    if not order.payable:
        cancelled = order.state is OrderState.CANCELLED
        closed = OrderException.PAID_AFTER_CANCEL if cancelled else OrderException.DUPLICATE
        return PaymentVerdict(Outcome(closed), paid.units, replace(after, exception=closed))
    outcome = alone(order.due, paid)
    # A payment that is good closes its order by itself, whatever odd came in before it.
    closing = outcome in GOOD or after.whole
    event = OrderEvent.PAID_WHOLE if closing else OrderEvent.PAID_IN_PART
    odd = _odd_about_paid(after, paid) if closing else _odd_about_open(after)
    after = replace(after, state=move(order.state, event), exception=odd)
    return PaymentVerdict(outcome, paid.units - order.due.amount_units, after)


def buy(order: Standing, paid: Paid) -> PaymentVerdict:
    """Say what a coupon's purchase, which took effect, does to its order: it pays it, or nothing.

    What came in beside it is too much.
    """
    if order.state not in PAYABLE:
        return PaymentVerdict(Outcome.IN_VAIN, 0, order)
    after = add(order, paid)
    state = move(order.state, OrderEvent.PAID_WHOLE)
    after = replace(after, state=state, exception=_too_much(after))
    return PaymentVerdict(Outcome.SUCCEEDED, 0, after)


def reconsider(order: Standing) -> Standing:
    """Judge an order by its sums once more, since money that was to go back did not."""
    if order.payable:
        if not order.whole:
            return replace(order, exception=_odd_about_open(order))
        state = move(order.state, OrderEvent.PAID_WHOLE)
        return replace(order, state=state, exception=_too_much(order))
    if order.state in SOLD and order.exception is None:
        return replace(order, exception=_too_much(order))
    return order


def add(order: Standing, paid: Paid) -> Standing:
    """Add an effective payment to an order's sums."""
    milk = milk_of(paid, order.due)
    return replace(
        order,
        received_units=order.received_units + paid.units,
        burned_units=order.burned_units + paid.burned_units,
        milk_units={
            kind: order.milk_units.get(kind, 0) + milk.get(kind, 0)
            for kind in order.milk_units.keys() | milk.keys()
        },
    )


def alone(due: Due, paid: Paid) -> Outcome:
    """Judge a payment of an open order by itself."""
    if paid.units < due.amount_units:
        return Outcome.UNDERPAID
    if paid.units > due.amount_units:
        return Outcome.OVERPAID
    if milk_of(paid, due) != due.milk_units or paid.burned_units != due.redeem_units:
        return Outcome.WRONG_REDEMPTION
    return Outcome.SUCCEEDED if in_time(paid, due) else Outcome.PAID_LATE


def _odd_about_open(order: Standing) -> OrderException | None:
    """Say what is odd about an order that all until now does not pay: enough, but not its milk."""
    enough = order.net_units >= order.due.amount_units
    return OrderException.WRONG_REDEMPTION if enough else None


def _odd_about_paid(order: Standing, paid: Paid) -> OrderException | None:
    """Say what is odd about an order that this payment closed; None if nothing is."""
    if not in_time(paid, order.due):
        return OrderException.PAID_LATE
    return _too_much(order)


def _too_much(order: Standing) -> OrderException | None:
    """Say that more came in than was due; None if it did not."""
    return OrderException.OVERPAID if order.net_units > order.due.amount_units else None
