"""What is odd about an order, given back: which of its payments, how much of each, and why.

What came in beyond the quote goes back by itself as soon as it is final, if an account pays for the
merchant. This is for what did not, and for what a person decides: an order that was paid late, or
without its milk. Pure, but for `odd_payments`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.errors import Unprocessable
from api.orders.model import Order, OrderException
from api.payments.model import GOOD, Outcome
from api.refunds.model import OPEN, Refund, RefundReason
from api.refunds.rules import NoRefund, Share, excess_of, quote_of, share_of, worth_sen
from api.refunds.store import PaidIn, lock_payments, refunds_of

CLOSED: Final = {
    Outcome.DUPLICATE: RefundReason.DUPLICATE,
    Outcome.PAID_AFTER_CANCEL: RefundReason.PAID_AFTER_CANCEL,
}
"""Payments that came in for an order that was closed: all of them is too much."""
_WHOLE: Final = {
    OrderException.PAID_LATE: RefundReason.PAID_LATE,
    OrderException.WRONG_REDEMPTION: RefundReason.OTHER,
}
"""Exceptions of an order of which everything goes back."""


@dataclass(frozen=True, slots=True)
class OddPart:
    """Units of one payment that go back, and what they were worth."""

    paid: PaidIn
    reason: RefundReason
    share: Share


async def odd_payments(connection: AsyncConnection, order: Order) -> list[OddPart]:
    """Say what goes back of a locked order, whose payments are locked from here on.

    Raise `Unprocessable` if nothing is left.
    """
    payments, before = await _paid_in(connection, order)
    parts = list(parts_of(order, payments, before))
    if not parts:
        raise Unprocessable("nothing about this order is left to give back", code="NOTHING_LEFT")
    return parts


async def excess_parts(
    connection: AsyncConnection, order: Order, reason: RefundReason
) -> list[OddPart]:
    """Say what goes back of a locked order by itself, and for the first time, for a reason."""
    payments, before = await _paid_in(connection, order)
    return [
        part
        for part in parts_of(order, payments, before)
        if part.reason is reason
        and not any(refund.reason is reason for refund in before[part.paid.tx_hash])
    ]


async def _paid_in(
    connection: AsyncConnection, order: Order
) -> tuple[list[PaidIn], dict[bytes, list[Refund]]]:
    """Lock an order's payments; give them with what was given back of each."""
    payments = await lock_payments(connection, order.merchant_id, order_id=order.id)
    hashes = [paid.tx_hash for paid in payments]
    before: dict[bytes, list[Refund]] = {tx_hash: [] for tx_hash in hashes}
    for refund in await refunds_of(connection, order.merchant_id, hashes):
        before[refund.tx_hash].append(refund)
    return payments, before


def parts_of(
    order: Order, payments: Sequence[PaidIn], before: Mapping[bytes, Sequence[Refund]]
) -> Iterator[OddPart]:
    """List what is odd about an order, payment by payment.

    What is too much goes back out of payments that did not close the order, before the one that
    did: else a stranger's dust would be given back out of a customer's exact payment, and spoil it.
    """
    quote = quote_of(order)
    given = [refund for refunds in before.values() for refund in refunds]
    going_back = sum(refund.units for refund in given if refund.state in OPEN)
    excess_units = max(0, (order.delta_units or 0) - going_back)
    theirs = [paid for paid in reversed(payments) if not paid.own]
    for paid in sorted(theirs, key=lambda paid: paid.outcome in GOOD):
        earlier = before[paid.tx_hash]
        if (reason := CLOSED.get(paid.outcome)) is not None:
            units = excess_of(paid.units, paid.units, earlier)
        elif order.exception is OrderException.OVERPAID:
            reason, units = RefundReason.OVERPAID, excess_of(paid.units, excess_units, earlier)
            excess_units -= units
        elif order.exception in _WHOLE:
            try:
                share = share_of(paid.units, quote, earlier, None)
            except NoRefund:
                continue
            yield OddPart(paid, _WHOLE[order.exception], share)
            continue
        else:
            continue
        if units > 0:
            worth = None if quote is None else worth_sen(units, quote)
            yield OddPart(paid, reason, Share(units, worth))
