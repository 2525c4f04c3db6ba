"""What settlement should say of one order, from a look at all of its payments at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

ORDERS = 3
DUE, MILK = 500_000, 200_000
LATE_MS = 2**45
STRAY = b"\xee" * 32
"""A lot that no order was offered."""


@dataclass(frozen=True)
class Coming:
    """One transaction for one order; the last order is none of ours."""

    order: int
    units: int
    milk: int
    stray: int = 0
    code: str = ""
    late: bool = False
    seen: bool = False
    mine: bool = True

    @property
    def in_time(self) -> bool:
        return self.seen or not self.late


@dataclass
class Account:
    """What the model says of one order."""

    outcomes: list[str]
    paid: bool
    exception: str | None
    received: int


def model(payments: Sequence[Coming], cancelled_at: int | None = None) -> Account:
    """Judge an order from its whole history."""
    good = [(n, p) for n, p in enumerate(payments) if not p.code]

    def whole(count: int) -> bool:
        """Tell whether milk and margin are whole with so many, or one of them alone is exact."""
        came = [p for _, p in good[:count]]
        milk = sum(p.milk for p in came)
        kept = sum(p.units - p.milk - p.stray for p in came)
        return (milk >= MILK and kept >= DUE - MILK) or any(exact(p) for p in came)

    closing = next((k for k in range(len(good)) if whole(k + 1)), None)
    before_cancel = len([n for n, _ in good if cancelled_at is not None and n < cancelled_at])
    cancelled = cancelled_at is not None and (closing is None or closing >= before_cancel)
    open_until = before_cancel if cancelled else len(good) if closing is None else closing + 1
    after = "paid_after_cancel" if cancelled else "duplicate"
    told = iter(alone(p) if k < open_until else after for k, (_, p) in enumerate(good))
    outcomes = ["failed" if p.code else next(told) for p in payments]
    total = sum(p.units for _, p in good)
    exception = None
    if len(good) > open_until:
        exception = after
    elif not cancelled and closing is not None:
        exception = "overpaid" if total > DUE else None
        exception = exception if good[closing][1].in_time else "paid_late"
    elif sum(p.units for _, p in good[:open_until]) >= DUE:
        exception = "wrong_redemption"
    return Account(outcomes, closing is not None and not cancelled, exception, total)


def exact(paid: Coming) -> bool:
    return (paid.units, paid.milk, paid.stray) == (DUE, MILK, 0)


def alone(paid: Coming) -> str:
    """Judge one payment of an open order."""
    if paid.units != DUE:
        return "underpaid" if paid.units < DUE else "overpaid"
    if not exact(paid):
        return "wrong_redemption"
    return "succeeded" if paid.in_time else "paid_late"


EXACT = (DUE, MILK, 0)
AMOUNTS = st.sampled_from(
    [
        EXACT, EXACT, EXACT, EXACT,
        (DUE - 1, MILK, 0), (DUE + 1, MILK, 0), (DUE - 100_000, MILK, 0), (1, 0, 0), (1, 0, 1),
        (100_000, 0, 0), (DUE - MILK, 0, 0), (MILK, MILK, 0), (DUE, 0, 0), (DUE, 0, MILK),
        (DUE, MILK + 1, 0), (DUE, MILK - 1, 0), (DUE, MILK, 1), (2 * DUE, MILK, 0),
    ]
)  # fmt: skip
PAYMENTS = st.lists(
    st.builds(
        lambda order, amount, code, late, seen, mine: Coming(
            order, *amount, code, late, seen, mine
        ),
        order=st.sampled_from([0, 0, 0, 1, 2, ORDERS]),
        amount=AMOUNTS,
        code=st.sampled_from(["", "", "", "", "short_lot"]),
        late=st.booleans(),
        seen=st.sampled_from([False, False, True]),
        mine=st.sampled_from([True, True, True, False]),
    ),
    max_size=9,
)
