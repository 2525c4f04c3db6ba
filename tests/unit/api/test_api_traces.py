"""A caller's trace goes with what it sets off: to nodes, and by the outbox to webhooks."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx
from sqlalchemy import text
from ulid import ULID

from api.batcher import Batcher
from ledger.primitives.codec import encode
from ledger.types.transaction import Transaction
from node.client.http import NodeClient
from node.client.tracing import TRACEPARENT
from tests.support.api.hooked_rig import make, on_rig
from tests.support.api.loyal_people import played, student
from tests.support.api.people_rig import PeopleRig
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig
from tests.support.api.signing_rig import SigningRig
from tests.support.api.webhook_receiver import receiving
from tests.support.node.fake_node import CUSTOMER

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-00000000000000000000000000000001-0000000000000001-00"


def test_a_webhook_bears_the_trace_of_the_request_that_it_tells_of(database: TestDatabase) -> None:
    async def opened(rig: ServiceRig, **headers: str) -> dict[str, object]:
        answer = await rig.http.post(
            "/api/v1/orders",
            json={"items": [{"productId": "whole-200"}]},
            headers=rig.till(**{"Idempotency-Key": str(ULID()), **headers}),
        )
        assert answer.status_code == 201
        return answer.json()

    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            await make(rig, receiver.url)
            order = await opened(rig, traceparent=TRACE)
            path = f"/api/v1/orders/{order['id']}/cancel"
            await rig.http.post(path, headers=rig.till(traceparent=OTHER))
            await opened(rig)
            await opened(rig, traceparent="nonsense")
            received = await receiver.wait_for(4)
            traces = [one.headers.get("traceparent") for one in received]
            assert traces == [TRACE, OTHER, None, None]

    on_rig(database, act)


def test_orders_that_are_opened_together_keep_each_its_own_trace(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        traces = [f"00-{n:032x}-{n:016x}-00" for n in range(1, 21)]
        await asyncio.gather(
            *(
                rig.http.post(
                    "/api/v1/orders",
                    json={"items": [{"productId": "whole-200"}], "metadata": {"trace": trace}},
                    headers=rig.till(**{"Idempotency-Key": str(ULID()), "traceparent": trace}),
                )
                for trace in traces
            )
        )
        wrong = "SELECT count(*) FROM events WHERE body #>> '{order,metadata,trace}' <> trace"
        assert await rig.scalar(wrong) == 0
        assert await rig.scalar("SELECT count(DISTINCT trace) FROM events") == 20

    on_rig(database, act)


def test_a_node_is_asked_under_the_trace_and_without_one_under_none() -> None:
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("traceparent"))
        return httpx.Response(200, content=b"{}")

    async def run() -> None:
        async with NodeClient("http://node", transport=httpx.MockTransport(answer)) as node:
            await node.genesis()
            TRACEPARENT.set(TRACE)
            await node.genesis()

    asyncio.run(run())
    assert asked == [None, TRACE]


def test_what_is_done_for_several_at_once_belongs_to_the_trace_of_none() -> None:
    seen: list[tuple[int, str]] = []

    async def flush(batch: Sequence[str]) -> Sequence[str]:
        seen.append((len(batch), TRACEPARENT.get()))
        return batch

    async def ask(batcher: Batcher[str, str], trace: str) -> None:
        TRACEPARENT.set(trace)
        await batcher.submit(trace)

    async def run() -> None:
        batcher: Batcher[str, str] = Batcher(flush)
        running = asyncio.create_task(batcher.run())
        for traces in ([TRACE], [TRACE, OTHER], [OTHER, OTHER], [""]):
            await asyncio.gather(*(ask(batcher, trace) for trace in traces))
        running.cancel()

    asyncio.run(run())
    assert seen == [(1, TRACE), (2, ""), (2, OTHER), (1, "")]


async def _posted(rig: ServiceRig, order: dict[str, object], paid: Transaction, trace: str) -> int:
    answer = await rig.http.post(
        f"/api/v1/orders/{order['id']}/payment",
        json={"transaction": encode(paid).hex()},
        headers={"traceparent": trace} if trace else {},
    )
    return answer.status_code


async def _traces(rig: ServiceRig, order: dict[str, object]) -> dict[str, str]:
    """Give the traces of what happened to an order, kind by kind."""
    async with rig.service.engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT kind, trace FROM events WHERE subject_id = :id"), {"id": order["id"]}
        )
        return {row.kind: row.trace for row in rows}


def test_what_becomes_of_payments_bears_the_trace_that_each_was_brought_under(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        orders = [await rig.order() for _ in range(4)]
        nonce = rig.node.next_nonce(CUSTOMER)
        signed = [await rig.signed(one, nonce=nonce + n) for n, one in enumerate(orders)]
        *brought, past = zip(orders, signed, (TRACE, OTHER, "", ""), strict=True)
        # The node takes all of them as they are brought, and finalizes them in one block.
        for order, paid, trace in brought:
            assert await _posted(rig, order, paid, trace) == 202
        await rig.chain_only(past[1])
        rig.node.make_block()
        await rig.level()
        told = [await _traces(rig, order) for order in orders]
        assert [one.get("payment.submitted") for one in told] == [TRACE, OTHER, "", None]
        assert [one["order.paid"] for one in told] == [TRACE, OTHER, "", ""]

    on_rig(database, act, automatic=False)


def test_payments_that_come_together_keep_each_its_own_trace_until_they_are_refused(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        orders = [await rig.order() for _ in range(3)]
        traces = [f"00-{n:032x}-{n:016x}-00" for n in range(1, 4)]
        signed = [await rig.signed(order, nonce=9_999) for order in orders]
        parts = zip(orders, signed, traces, strict=True)
        assert 202 not in await asyncio.gather(*(_posted(rig, *part) for part in parts))
        told = [await _traces(rig, order) for order in orders]
        for kind in ("payment.submitted", "payment.refused"):
            assert [one[kind] for one in told] == traces

    on_rig(database, act)


def test_what_goes_back_by_itself_and_a_coupon_that_was_earned_bear_the_payment_s_trace(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def act(rig: SigningRig, people: PeopleRig) -> None:
        await student(people, CUSTOMER)
        await rig.buy(4)
        orders = [await rig.api.order() for _ in range(2)]
        nonce = rig.ledger.next_nonce(CUSTOMER)
        first, past, twice = [
            await rig.api.signed(order, nonce=nonce + n)
            for n, order in enumerate((orders[0], orders[1], orders[1]))
        ]
        assert await _posted(rig.api, orders[0], first, TRACE) == 202
        rig.ledger.automatic = False
        # Another payment of the second order, which came past the service, is before this one.
        await rig.ledger.submit([encode(past)])
        assert await _posted(rig.api, orders[1], twice, OTHER) == 202
        rig.ledger.make_block()
        await rig.api.level()
        for kind, trace in (("coupon.issued", TRACE), ("refund.created", OTHER)):
            assert await rig.api.scalar(f"SELECT trace FROM events WHERE kind = '{kind}'") == trace

    played(database, tmp_path)(act)
