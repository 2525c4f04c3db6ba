"""A caller's trace goes with what it sets off: to nodes, and by the outbox to webhooks."""

import asyncio
from collections.abc import Sequence

import httpx
from ulid import ULID

from api.batcher import Batcher
from node.client.http import NodeClient
from node.client.tracing import TRACEPARENT
from tests.support.api.hooked_rig import make, on_rig
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig
from tests.support.api.webhook_receiver import receiving

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
