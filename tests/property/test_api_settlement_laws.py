"""Settlement over a real database, beside a model that looks at all of an order's payments at once.

The model is told the payments of one order in the order of the chain. The service is told them in
batches of any cutting, each of them twice or more, mixed with those of other orders and with sweeps
that expire orders. What both say must be the same.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.orders.changes import expire_orders
from api.orders.model import OrderState
from api.orders.rules import cancel
from api.payments.observation import FinalBatch, FinalTransaction
from api.payments.rules import Due, Paid, Standing, decide
from api.payments.settlement import SettlingParties, settle
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, Signature, address_of
from ledger.types.transaction import Intent, Transaction
from ledger.types.transfer import Redemption, Transfer
from tests.support.api.postgres import running_database
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig
from tests.support.api.settlement_model import (
    DUE,
    LATE_MS,
    MILK,
    ORDERS,
    PAYMENTS,
    STRAY,
    Coming,
    model,
)
from tests.support.node.fake_node import CUSTOMER, MERCHANT, OTHER_MERCHANT


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


CUTS = st.lists(
    st.tuples(st.integers(1, 4), st.booleans()),  # how many payments, and whether a sweep follows
    max_size=8,
)


@settings(deadline=None, max_examples=30)
@given(PAYMENTS, CUTS, CUTS, st.lists(st.integers(0, 8), max_size=4))
def test_any_cutting_of_payments_settles_as_one_look_at_all_of_them_would(
    lent: Lent,
    payments: list[Coming],
    cuts: list[tuple[int, bool]],
    other_cuts: list[tuple[int, bool]],
    again: list[int],
) -> None:
    async def run() -> None:
        cuttings = (cuts, other_cuts, [(max(len(payments), 1), False)])
        found = [await settled_in(lent.rig, payments, cutting, again) for cutting in cuttings]
        assert found[0] == found[1] == found[2]
        await check_books(lent.rig)
        await sweep(lent.rig)  # The next example finds the milk again.

    lent.runner.run(run())


async def check_books(rig: ServiceRig) -> None:
    """What orders say they received is what their payments brought; open orders hold the milk."""
    waiting = await rig.scalar("SELECT count(*) FROM orders WHERE state = 'awaiting_payment'")
    reserved = await rig.scalar("SELECT sum(reserved_units) FROM lots")
    assert reserved == MILK * int(str(waiting))
    wrong = await rig.scalar("""
        SELECT count(*) FROM orders o WHERE o.received_units <> (
            SELECT coalesce(sum(units), 0) FROM payments p
            WHERE p.order_id = o.id AND p.outcome <> 'failed'
        )
    """)
    assert wrong == 0
    lies = await rig.scalar("""
        SELECT count(*) FROM payments p JOIN orders o ON o.id = p.order_id
        WHERE p.outcome IN ('succeeded', 'paid_late') AND o.state <> 'paid'
    """)
    assert lies == 0
    gaps = await rig.scalar("""
        SELECT count(*) FROM merchant_sequences s WHERE s.seq <> (
            SELECT count(*) FROM events e WHERE e.merchant_id = s.merchant_id
        )
    """)
    assert gaps == 0


@settings(max_examples=500)
@given(PAYMENTS, st.lists(st.integers(0, 9), max_size=2), st.none() | st.integers(0, 9))
def test_the_rule_folded_over_payments_says_what_one_look_at_all_of_them_would(
    payments: list[Coming], sweeps: list[int], cancelled_at: int | None
) -> None:
    due = Due(DUE, {"whole": MILK}, {b"lot": "whole"}, expires_ms=1_000)
    order, outcomes = Standing(OrderState.AWAITING_PAYMENT, due), []
    cancelled_at = None if sweeps else cancelled_at  # What has expired is not cancelled.
    for n, paid in enumerate(payments):
        if n == cancelled_at and order.state is OrderState.AWAITING_PAYMENT:
            order = replace(order, state=OrderState.CANCELLED)
        if n in sweeps and order.state is OrderState.AWAITING_PAYMENT:
            order = replace(order, state=OrderState.EXPIRED)
        verdict = decide(order, as_paid(paid))
        order = verdict.after
        outcomes.append(verdict.outcome)
    said = model(payments, cancelled_at)
    assert outcomes == said.outcomes
    assert (order.state is OrderState.PAID) == said.paid
    assert order.exception == said.exception
    assert order.received_units == said.received
    assert order.net_units == order.received_units - order.refunded_units


def as_paid(paid: Coming) -> Paid:
    basket = [(b"lot", paid.milk)] if paid.milk else []
    basket += [(STRAY, paid.stray)] if paid.stray else []
    time_ms = LATE_MS if paid.late else 1_000
    return Paid(paid.units, tuple(basket), time_ms, 1_000 if paid.seen else None, paid.code)


async def sweep(rig: ServiceRig) -> None:
    """Expire every order that waits."""
    far_ms = rig.service.now_ms() + 10**9
    await expire_orders(rig.service.engine, far_ms, far_ms)


async def settled_in(
    rig: ServiceRig, payments: Sequence[Coming], cutting: list[tuple[int, bool]], again: list[int]
) -> list[object]:
    """Settle payments in batches, check against the model, and give what is known after."""
    orders = [await rig.order() for _ in range(ORDERS)]
    finals = [final_of(rig, orders, n, paid) for n, paid in enumerate(payments)]
    await note_seen(rig, orders, list(zip(payments, finals, strict=True)))
    swept, at = False, 0
    for size, sweeps in cutting:
        repeated = [finals[n] for n in again if n < min(at, len(finals))]
        await one_batch(rig, [*repeated, *finals[at : at + size]])
        at += size
        if sweeps:
            await sweep(rig)
            swept = True
    await one_batch(rig, finals[at:])
    await one_batch(rig, finals[::-1])  # All of it once more, backwards: nothing changes.
    return [
        await compare(rig, str(order["id"]), n, payments, swept=swept)
        for n, order in enumerate(orders)
    ]


async def note_seen(
    rig: ServiceRig,
    orders: list[dict[str, object]],
    pairs: Sequence[tuple[Coming, FinalTransaction]],
) -> None:
    """Write down those that the service had the bytes of, in time."""
    async with rig.service.engine.begin() as connection:
        for paid, final in pairs:
            if paid.seen and paid.mine and paid.order < ORDERS:
                await connection.execute(
                    text("""
                        INSERT INTO payments (tx_hash, merchant_id, order_id, units, basket, state,
                            valid_until_height, raw, created_ms, seen_ms)
                        SELECT :hash, merchant_id, id, 1, '[]', 'seen', 1, 'raw', created_ms,
                            created_ms FROM orders WHERE id = :id
                    """),
                    {"hash": final.tx_hash, "id": orders[paid.order]["id"]},
                )


async def one_batch(rig: ServiceRig, batch: list[FinalTransaction]) -> None:
    async with rig.service.engine.begin() as connection:
        await settle(connection, FinalBatch(batch), rig.service.now_ms(), SettlingParties())


def final_of(
    rig: ServiceRig, orders: list[dict[str, object]], number: int, paid: Coming
) -> FinalTransaction:
    """Show the service a payment as the follower would."""
    references = [bytes.fromhex(str(o["reference"])) for o in orders] + [b"?" * 32]
    lot = bytes.fromhex(orders[0]["redeem"][0]["lot"])
    milk = {lot: paid.milk, STRAY: paid.stray}
    body = Transfer(
        to=address_of((MERCHANT if paid.mine else OTHER_MERCHANT).public),
        units=Units(paid.units),
        reference=references[paid.order],
        redeem=tuple(Redemption(Hash(k), Units(v)) for k, v in sorted(milk.items()) if v),
    )
    sender = Policy.single(CUSTOMER.public)
    intent = Intent(Hash(bytes(32)), sender, secrets.randbits(60), Units(100), 2**40, body)
    transaction = Transaction(intent, ((0, Signature(bytes(64))),))
    time_ms = LATE_MS if paid.late else rig.service.now_ms()
    return FinalTransaction(transaction.id, transaction, paid.code, number + 1, b"b" * 32, time_ms)


async def compare(
    rig: ServiceRig, order_id: str, number: int, payments: Sequence[Coming], *, swept: bool
) -> tuple[object, ...]:
    """Check one order against the model, and give what does not hang on sweeps."""
    said = model([p for p in payments if p.order == number and p.mine])
    order = await rig.service.find_order(order_id)
    assert order is not None
    async with rig.service.engine.connect() as connection:
        outcomes = list(
            await connection.scalars(
                text("SELECT outcome FROM payments WHERE order_id = :id ORDER BY height"),
                {"id": order_id},
            )
        )
        told = await connection.scalar(
            text("SELECT count(*) FROM events WHERE kind = 'order.paid' AND subject_id = :id"),
            {"id": order_id},
        )
    assert outcomes == said.outcomes
    assert sum(outcome in ("succeeded", "paid_late") for outcome in outcomes) <= 1
    assert (order.exception, order.received_units) == (said.exception, said.received)
    assert told == said.paid
    if said.paid:
        assert order.state is OrderState.PAID
    else:
        assert order.paid_ms is None
        possible = ("expired", "awaiting_payment") if swept else ("awaiting_payment",)
        assert order.state in possible
    return (*outcomes, said.paid, order.exception, order.received_units)


@settings(deadline=None, max_examples=10)
@given(PAYMENTS, st.integers(0, 9))
def test_what_comes_after_a_cancellation_is_kept_and_pays_nothing(
    lent: Lent, payments: list[Coming], cancelled_at: int
) -> None:
    payments = [replace(paid, order=0, mine=True, seen=False) for paid in payments]

    async def run() -> None:
        rig = lent.rig
        order = await rig.order()
        finals = [final_of(rig, [order] * ORDERS, n, paid) for n, paid in enumerate(payments)]
        await one_batch(rig, finals[:cancelled_at])
        found = await rig.service.find_order(str(order["id"]))
        assert found is not None
        if found.state is OrderState.AWAITING_PAYMENT:
            at = (found.merchant_id, found.id)
            await rig.service.change_order(*at, cancel, "order.cancelled")
        await one_batch(rig, finals[cancelled_at:])
        said = model(payments, cancelled_at)
        after = await rig.service.find_order(found.id)
        assert after is not None
        assert (after.exception, after.received_units) == (said.exception, said.received)
        assert (after.state is OrderState.PAID) == said.paid
        await check_books(rig)
        await sweep(rig)

    lent.runner.run(run())
