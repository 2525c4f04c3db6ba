"""How much goes back, and what may become of a refund. Pure.

A refund is asked for in ringgit and given in the units that were paid for them: today's price is
irrelevant. Each part is rounded down, and the last takes the rest, so that all parts together are
exactly what was paid. What came in beyond the quote goes back in its units.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from api.orders.model import Order
from api.refunds.model import COUNTS, EXCESS, BurnedPacks, Refund, RefundEvent, RefundState

_E: Final = RefundEvent
_S: Final = RefundState

TABLE: Final[Mapping[tuple[RefundState, RefundEvent], RefundState]] = {
    (_S.PENDING, _E.SIGNED): _S.SUBMITTED,
    (_S.PENDING, _E.FAILED): _S.FAILED,
    (_S.PENDING, _E.CANCELLED): _S.CANCELLED,
    (_S.SUBMITTED, _E.SUCCEEDED): _S.SUCCEEDED,
    (_S.SUBMITTED, _E.FAILED): _S.FAILED,
    (_S.SUBMITTED, _E.LAPSED): _S.PENDING,
}


class NoRefund(Exception):
    """Nothing goes back. `code` says why, for programs."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True, slots=True)
class Quoted:
    """What an order cost, in both currencies."""

    amount_sen: int
    amount_units: int


def quote_of(order: Order) -> Quoted | None:
    """Give what an order cost; None for one that a coupon pays.

    Money that came in for it has no price in ringgit: what it cost before has gone with the coupon.
    """
    return None if order.free else Quoted(order.amount_sen, order.amount_units)


@dataclass(frozen=True, slots=True)
class Share:
    """What goes back, and what it was worth; None where there was no price in ringgit."""

    units: int
    amount_sen: int | None


def worth_sen(units: int, quote: Quoted) -> int:
    """Say what units were worth under a quote, rounded down."""
    return quote.amount_sen * units // quote.amount_units


def share_of(
    paid_units: int, quote: Quoted | None, before: Iterable[Refund], asked_sen: int | None
) -> Share:
    """Give a part of a payment back, or without `asked_sen` all that is left of it.

    `before` are the earlier refunds of the payment. Raise `NoRefund` if there is not so much left.
    """
    counted = [refund for refund in before if refund.state in COUNTS]
    base_units = paid_units - sum(one.units for one in counted if one.reason in EXCESS)
    parts = [one for one in counted if one.reason not in EXCESS]
    left_units = base_units - sum(one.units for one in parts)
    if left_units <= 0:
        raise NoRefund("NOTHING_LEFT", "all of this payment was given back")
    if quote is None:
        if asked_sen is not None:
            raise NoRefund("NO_QUOTE", "this payment has no price in RM: leave the amount out")
        return Share(left_units, None)
    value_sen = worth_sen(base_units, quote)
    left_sen = value_sen - sum(one.amount_sen or 0 for one in parts)
    if asked_sen is None or asked_sen == left_sen:
        return Share(left_units, left_sen)
    if asked_sen > left_sen:
        raise NoRefund("MORE_THAN_PAID", f"only {left_sen / 100:.2f} RM are left")
    units = base_units * asked_sen // value_sen
    if not 0 < units <= left_units:
        raise NoRefund("TOO_LITTLE", "so little is less than the smallest part of a BILL")
    return Share(units, asked_sen)


def excess_of(paid_units: int, excess_units: int, before: Iterable[Refund]) -> int:
    """Say how much of what came in beyond the quote is still to be given back."""
    given = sum(one.units for one in before if one.state in COUNTS)
    return max(0, min(excess_units, paid_units - given))


def after(state: RefundState, event: RefundEvent) -> RefundState | None:
    """Give the state after an event; None if it doesn't happen in this state."""
    return TABLE.get((state, event))


def packs_burned(
    items: Iterable[tuple[str, int, int]], basket: Iterable[tuple[bytes, str, int]]
) -> list[BurnedPacks]:
    """Say which packs a payment burned: its order's, out of its own basket.

    `items` are (kind, units a pack, packs), `basket` is (lot, kind, units). Packs are whole, and
    each is of one lot; what fits no pack is left out.
    """
    left = {(lot, kind): units for lot, kind, units in basket}
    found: Counter[tuple[bytes, int]] = Counter()
    for kind, pack_units, packs in sorted(items, key=lambda item: -item[1]):
        wanted = packs
        for (lot, its_kind), units in left.items():
            taken = min(wanted, units // pack_units) if its_kind == kind else 0
            found[lot, pack_units] += taken
            left[lot, its_kind] -= taken * pack_units
            wanted -= taken
    return [BurnedPacks(lot, size, packs) for (lot, size), packs in sorted(found.items()) if packs]
