"""Ages and waits are of the steady clock; what is in time is of the chain's. Walls lie."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from api.chain.node_watch import FINALITY_SILENCE_S_MAX, NodeWatch
from node.client.views import NodeStatus
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig, until
from tests.support.node.fake_node import FakeNode

HOUR_MS = 3_600_000
ANY_HASH = "ab" * 32


def on_rig(
    database: TestDatabase, clocks: Clocks, act: Callable[[ServiceRig], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with running_rig(database, clocks=clocks) as rig:
            await act(rig)

    asyncio.run(run())


async def denied(rig: ServiceRig) -> bool:
    """Ask for a payment that nobody knows; tell whether it was said not to be there."""
    answer = await rig.validate(ANY_HASH)
    assert answer.status_code in (200, 503)
    ready = await rig.http.get("/readyz")
    assert ready.status_code == answer.status_code
    return answer.status_code == 200


@pytest.mark.parametrize("wall_ahead_ms", [-HOUR_MS, 0, HOUR_MS])
def test_without_a_quorum_nothing_is_denied_wherever_the_wall_clock_goes(
    database: TestDatabase, wall_ahead_ms: int
) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        assert await denied(rig)
        clocks.wall_ahead_ms = wall_ahead_ms
        clocks.steady_ahead_s = FINALITY_SILENCE_S_MAX + 1
        # The node still answers, with the same last block.
        await until(lambda: not rig.service.standing.why_no_node())
        assert "finalizes no blocks" in rig.service.behind()
        assert not await denied(rig)
        rig.node.make_block()
        await until(lambda: not rig.service.behind())
        assert await denied(rig)

    on_rig(database, clocks, act)


@pytest.mark.parametrize("wall_ahead_ms", [-HOUR_MS, HOUR_MS])
def test_a_clock_that_was_set_does_not_make_the_service_behind(
    database: TestDatabase, wall_ahead_ms: int
) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        clocks.wall_ahead_ms = wall_ahead_ms
        rig.node.make_block()
        await rig.level()
        assert await denied(rig)

    on_rig(database, clocks, act)


def test_no_order_is_opened_that_nobody_could_pay(database: TestDatabase) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        rig.node.silence()
        clocks.steady_ahead_s = rig.service.config.node_silence_s_max + 1
        clocks.wall_ahead_ms = -HOUR_MS
        headers = rig.till(**{"Idempotency-Key": "a-till's-key"})
        body = {"items": [{"productId": "whole-200"}]}
        answer = await rig.http.post("/api/v1/orders", json=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "LEDGER_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        assert await rig.scalar("SELECT count(*) FROM orders") == 0
        rig.node.silence(silent=False)
        await until(lambda: not rig.service.behind())
        answer = await rig.http.post("/api/v1/orders", json=body, headers=headers)
        assert answer.status_code == 201

    on_rig(database, clocks, act)


def test_a_wall_clock_an_hour_ahead_expires_no_order_and_refuses_no_payment(
    database: TestDatabase,
) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        clocks.wall_ahead_ms = HOUR_MS
        await rig.service.housekeeper.expire()
        payment = await rig.signed(order)
        assert (await rig.post(order, payment)).status_code == 202
        await rig.level()
        assert (await rig.validate(payment)).json()["valid"] is True

    on_rig(database, clocks, act)


def test_an_order_that_is_opened_while_the_wall_clock_is_behind_can_be_paid_in_time(
    database: TestDatabase,
) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        clocks.wall_ahead_ms = -HOUR_MS
        order = await rig.order()
        await rig.service.housekeeper.expire()
        payment = await rig.paid(order)
        read = await rig.http.get(f"/api/v1/payments/{payment.id.hex()}", headers=rig.till())
        assert read.json()["outcome"] == "succeeded"

    on_rig(database, clocks, act)


def test_the_newest_order_stands_first_also_after_the_wall_clock_went_back(
    database: TestDatabase,
) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        orders = [await rig.order()]
        clocks.wall_ahead_ms = -HOUR_MS
        clocks.steady_ahead_s += 1
        orders.append(await rig.order())
        shown = await rig.service.board.snapshot()
        assert [card.id for card in shown["orders"]] == [o["id"] for o in reversed(orders)]

    on_rig(database, clocks, act)


def status_of(node: FakeNode, **changes: object) -> NodeStatus:
    return msgspec.structs.replace(asyncio.run(node.status()), **changes)


def test_a_service_that_begins_believes_an_age_only_if_the_clocks_agree() -> None:
    node = FakeNode()
    for wall_ahead_ms, expected in (
        (0, ""),
        (HOUR_MS, "finalizes no blocks"),
        (-HOUR_MS, "clock"),
    ):
        clocks = Clocks(wall_ahead_ms=wall_ahead_ms)
        watch = NodeWatch(node, clocks.wall_ms, clocks.steady_s)
        assert watch.why_silent(5) == "no node has answered yet"
        watch.take(status_of(node))
        assert watch.why_silent(5) == ""
        assert expected in watch.why_standing()
        assert bool(watch.why_standing()) == bool(expected)
        watch.take(status_of(node, height=1))
        assert watch.why_standing() == ""


def test_time_is_the_newest_block_s_and_goes_on_by_the_steady_clock() -> None:
    node, clocks = FakeNode(), Clocks()
    watch = NodeWatch(node, clocks.wall_ms, clocks.steady_s)
    watch.take(status_of(node, height=7, block_time_ms=1_000_000))
    clocks.steady_ahead_s += 10
    clocks.wall_ahead_ms -= HOUR_MS
    assert 1_010_000 <= watch.now_ms() < 1_015_000
    # Another node may be behind: its last block takes nothing back.
    watch.take(status_of(node, height=6, block_time_ms=990_000))
    assert 1_010_000 <= watch.now_ms() < 1_015_000
    watch.take(status_of(node, height=8, block_time_ms=1_020_000))
    assert 1_020_000 <= watch.now_ms() < 1_025_000


@pytest.mark.parametrize(("ahead_ms", "told_ms"), [(1_500, 0), (3_598_000, 3_598_000)])
def test_readyz_tells_that_the_chain_s_clock_is_ahead_and_payments_go_on(
    database: TestDatabase, ahead_ms: int, told_ms: int
) -> None:
    async def act(rig: ServiceRig) -> None:
        status = await rig.node.status()
        rig.service.watch.take(msgspec.structs.replace(status, clock_ahead_ms=ahead_ms))
        ready = await rig.http.get("/readyz")
        assert (ready.status_code, ready.json()["chainClockAheadMs"]) == (200, told_ms)

    on_rig(database, Clocks(), act)
