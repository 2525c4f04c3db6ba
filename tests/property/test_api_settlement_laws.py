"""Settlement over a real database, beside a model that looks at all of an order's payments at once.

The model is told the payments of one order in the order of the chain. The service is told them in
batches of any cutting, each of them twice or more, mixed with those of other orders and with sweeps
that expire orders. What both say must be the same.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.services.settlement import Observed, Standing, decide, settle
from ledger.primitives.keys import address_of
from tests.support.api.postgres import running_database
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig
from tests.support.node.fake_node import MERCHANT, OTHER_MERCHANT

ORDERS = 3
DUE, MILK = 500_000, 200_000
LATE_MS = 2**45


class Lent:
    """One service for all examples, each of which opens orders of its own in it."""

    def __init__(self, runner: asyncio.Runner, rig: ServiceRig) -> None:
        self.runner = runner
        self.rig = rig


@pytest.fixture(scope="module")
def lent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lent]:
    with (
        running_database(tmp_path_factory.mktemp("postgres")) as server,
        asyncio.Runner() as runner,
    ):
        stack = contextlib.AsyncExitStack()
        rig = runner.run(
            stack.enter_async_context(running_rig(server, clocks=Clocks(steady_stands_s=1_000.0)))
        )
        try:
            yield Lent(runner, rig)
        finally:
            runner.run(stack.aclose())


@dataclass(frozen=True)
class Paid:
    """One transaction for one order; the last order is none of ours."""

    order: int
    units: int
    milk: int
    code: str
    late: bool
    mine: bool


@dataclass
class Account:
    """What the model says of one order."""

    outcomes: list[str]
    paid: bool
    exception: str | None
    delta: int | None


def model(payments: Sequence[Paid]) -> Account:
    """Judge an order from its whole history."""
    effective = [p for p in payments if not p.code]
    # The payment with which the burned milk and the merchant's margin are both whole.
    closing = next(
        (
            n
            for n in range(len(effective))
            if sum(p.milk for p in effective[: n + 1]) >= MILK
            and sum(p.units - p.milk for p in effective[: n + 1]) >= DUE - MILK
        ),
        None,
    )
    told = iter(
        "duplicate" if closing is not None and n > closing else alone(p)
        for n, p in enumerate(effective)
    )
    outcomes = ["failed" if p.code else next(told) for p in payments]
    total = sum(p.units for p in effective)
    exception = None
    if "duplicate" in outcomes:
        exception = "duplicate"
    elif closing is not None and effective[closing].late:
        exception = "paid_late"
    elif closing is not None:
        exception = "overpaid" if total > DUE else None
    elif effective:
        exception = "underpaid" if total < DUE else "wrong_redemption"
    return Account(
        outcomes, closing is not None, exception, None if exception is None else total - DUE
    )


def alone(paid: Paid) -> str:
    """Judge one payment of an open order."""
    if paid.units != DUE:
        return "underpaid" if paid.units < DUE else "overpaid"
    if paid.milk != MILK:
        return "wrong_redemption"
    return "paid_late" if paid.late else "succeeded"


EXACT = (DUE, MILK)
AMOUNTS = st.sampled_from(
    [
        EXACT, EXACT, EXACT, EXACT,
        (DUE - 1, MILK), (DUE + 1, MILK), (DUE - 100_000, MILK), (1, 0), (100_000, 0),
        (DUE - MILK, 0), (MILK, MILK), (DUE, 0), (DUE, MILK + 1), (DUE, MILK - 1), (2 * DUE, MILK),
    ]
)  # fmt: skip
PAYMENTS = st.lists(
    st.builds(
        lambda order, amount, code, late, mine: Paid(order, *amount, code, late, mine),
        order=st.sampled_from([0, 0, 0, 1, 2, ORDERS]),
        amount=AMOUNTS,
        code=st.sampled_from(["", "", "", "", "short_lot"]),
        late=st.booleans(),
        mine=st.sampled_from([True, True, True, False]),
    ),
    max_size=9,
)
CUTS = st.lists(
    st.tuples(st.integers(1, 4), st.booleans()),  # how many payments, and whether a sweep follows
    max_size=8,
)


@settings(deadline=None, max_examples=30)
@given(PAYMENTS, CUTS, CUTS, st.lists(st.integers(0, 8), max_size=4))
def test_any_cutting_of_payments_settles_as_one_look_at_all_of_them_would(
    lent: Lent,
    payments: list[Paid],
    cuts: list[tuple[int, bool]],
    other_cuts: list[tuple[int, bool]],
    again: list[int],
) -> None:
    async def run() -> None:
        cuttings = (cuts, other_cuts, [(max(len(payments), 1), False)])
        found = [await settled_in(lent.rig, payments, cutting, again) for cutting in cuttings]
        assert found[0] == found[1] == found[2]
        waiting = await lent.rig.scalar(
            "SELECT count(*) FROM orders WHERE state = 'awaiting_payment'"
        )
        reserved = await lent.rig.scalar("SELECT sum(reserved_units) FROM lots")
        assert reserved == MILK * int(str(waiting))
        await sweep(lent.rig)  # The next example finds the milk again.

    lent.runner.run(run())


@settings(max_examples=500)
@given(PAYMENTS, st.lists(st.integers(0, 9), max_size=2))
def test_the_rule_folded_over_payments_says_what_one_look_at_all_of_them_would(
    payments: list[Paid], sweeps: list[int]
) -> None:
    order, outcomes = Standing("awaiting_payment", DUE, MILK, expires_ms=1_000), []
    for n, paid in enumerate(payments):
        if n in sweeps and order.state == "awaiting_payment":
            order = replace(order, state="expired")
        time_ms = LATE_MS if paid.late else 1_000
        verdict = decide(order, observed_as(paid, n, b"r" * 32, time_ms))
        order = verdict.after
        outcomes.append(verdict.outcome)
    said = model(payments)
    assert outcomes == said.outcomes
    assert (order.state == "paid") == said.paid
    assert order.exception == said.exception
    assert said.delta in (None, order.delta_units)


async def sweep(rig: ServiceRig) -> None:
    """Expire every order that waits."""
    far_ms = rig.service.now_ms() + 10**9
    await rig.service.desk.expire_orders(far_ms, far_ms)


async def settled_in(
    rig: ServiceRig, payments: Sequence[Paid], cutting: list[tuple[int, bool]], again: list[int]
) -> list[object]:
    """Settle payments in batches, check against the model, and give what is known after."""
    orders = [await rig.order() for _ in range(ORDERS)]
    observed = [observe(rig, orders, n, paid) for n, paid in enumerate(payments)]
    swept, at = False, 0
    for size, sweeps in cutting:
        repeated = [observed[n] for n in again if n < min(at, len(observed))]
        await one_batch(rig, [*repeated, *observed[at : at + size]])
        at += size
        if sweeps:
            await sweep(rig)
            swept = True
    await one_batch(rig, observed[at:])
    await one_batch(rig, observed[::-1])  # All of it once more, backwards: nothing changes.
    return [
        await compare(rig, str(order["id"]), n, payments, swept=swept)
        for n, order in enumerate(orders)
    ]


async def one_batch(rig: ServiceRig, batch: list[Observed]) -> None:
    async with rig.service.engine.begin() as connection:
        await settle(connection, batch, rig.service.now_ms())


def observe(rig: ServiceRig, orders: list[dict[str, object]], number: int, paid: Paid) -> Observed:
    """Show the service a payment as the follower would."""
    references = [bytes.fromhex(str(o["reference"])) for o in orders] + [b"?" * 32]
    time_ms = LATE_MS if paid.late else rig.service.now_ms()
    return observed_as(paid, number, references[paid.order], time_ms)


def observed_as(paid: Paid, number: int, reference: bytes, time_ms: int) -> Observed:
    return Observed(
        tx_hash=secrets.token_bytes(32),
        reference=reference,
        to=address_of((MERCHANT if paid.mine else OTHER_MERCHANT).public),
        payer=b"p" * 32,
        units=paid.units,
        redeem_units=paid.milk,
        height=number + 1,
        block_hash=b"b" * 32,
        time_ms=time_ms,
        code=paid.code,
    )


async def compare(
    rig: ServiceRig, order_id: str, number: int, payments: Sequence[Paid], *, swept: bool
) -> tuple[object, ...]:
    """Check one order against the model, and give what does not hang on sweeps."""
    said = model([p for p in payments if p.order == number and p.mine])
    row = await rig.service.find_order(order_id)
    assert row is not None
    async with rig.service.engine.connect() as connection:
        outcomes = list(
            await connection.scalars(
                text("SELECT outcome FROM payments WHERE order_id = :id ORDER BY height"),
                {"id": order_id},
            )
        )
        told = await connection.scalar(
            text("SELECT count(*) FROM events WHERE kind = 'order.paid' AND order_id = :id"),
            {"id": order_id},
        )
    assert outcomes == said.outcomes
    assert sum(outcome in ("succeeded", "paid_late") for outcome in outcomes) <= 1
    assert (row["exception"], row["delta_units"]) == (said.exception, said.delta)
    assert told == said.paid
    if said.paid:
        assert (row["state"], row["intent_state"]) == ("paid", "succeeded")
    else:
        assert row["paid_ms"] is None
        assert row["state"] in (("expired", "awaiting_payment") if swept else ("awaiting_payment",))
    return (*outcomes, said.paid, row["exception"], row["delta_units"])
