"""A request reaches a node that answers, and is carried out twice only if that is harmless."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import httpx
import pytest

from node.client.failover import (
    HELD_BACK_S,
    PATIENCE,
    PATIENCE_DOUBLINGS_MAX,
    REPEATABLE,
    FailoverTransport,
    NodeAddress,
)

URLS = ("http://a:1", "http://b:2", "http://c:3")
SHORT_S = 0.02


class Nodes(httpx.AsyncBaseTransport):
    """Hosts that answer, refuse, break off after the request has left, hang, or can't serve."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = dict(kinds)
        self.asked: list[str] = []
        self.now_s = 0.0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.asked.append(host)
        match self.kinds[host]:
            case "down":
                raise httpx.ConnectError("refused")
            case "breaks":
                raise httpx.ReadError("gone")
            case "hangs":
                await asyncio.Event().wait()
            case "busy":
                return httpx.Response(503, text="not now")
        return httpx.Response(200, text=request.headers["host"])


def over(nodes: Nodes, act: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run() -> None:
        transport = FailoverTransport(URLS, nodes, lambda: nodes.now_s)
        async with httpx.AsyncClient(
            transport=transport, base_url=URLS[0], trust_env=False
        ) as client:
            await act(client)

    asyncio.run(run())


async def get(client: httpx.AsyncClient) -> str:
    return (await client.get("/x", extensions={PATIENCE: SHORT_S})).text


@pytest.mark.parametrize("fault", ["down", "breaks", "hangs", "busy"])
def test_a_read_leaves_a_node_that_fails_and_the_next_goes_where_one_answered(fault: str) -> None:
    nodes = Nodes({"a": fault, "b": "up", "c": "up"})

    async def act(client: httpx.AsyncClient) -> None:
        assert [await get(client), await get(client)] == ["b:2", "b:2"]
        assert nodes.asked == ["a", "b", "b"]

    over(nodes, act)


@pytest.mark.parametrize("fault", ["breaks", "busy"])
def test_what_may_have_been_carried_out_is_not_repeated_elsewhere(fault: str) -> None:
    nodes = Nodes({"a": fault, "b": "up", "c": "up"})

    async def act(client: httpx.AsyncClient) -> None:
        try:
            assert (await client.post("/x")).status_code == 503
        except httpx.ReadError:
            assert fault == "breaks"
        assert nodes.asked == ["a"]

    over(nodes, act)


@pytest.mark.parametrize("fault", ["down", "breaks", "hangs", "busy"])
def test_what_is_harmless_twice_is_repeated_elsewhere(fault: str) -> None:
    nodes = Nodes({"a": fault, "b": "up", "c": "up"})

    async def act(client: httpx.AsyncClient) -> None:
        extensions = {PATIENCE: SHORT_S, REPEATABLE: True}
        answer = await client.post("/x", content=b"the same bytes", extensions=extensions)
        assert answer.text == "b:2"
        assert nodes.asked == ["a", "b"]

    over(nodes, act)


def test_when_all_are_down_each_was_tried_once() -> None:
    nodes = Nodes(dict.fromkeys("abc", "down"))

    async def act(client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ConnectError):
            await client.post("/x")
        assert nodes.asked == ["a", "b", "c"]

    over(nodes, act)


def test_when_none_can_serve_the_last_one_says_so() -> None:
    nodes = Nodes({"a": "busy", "b": "down", "c": "busy"})

    async def act(client: httpx.AsyncClient) -> None:
        answer = await client.get("/x")
        assert (answer.status_code, answer.text) == (503, "not now")

    over(nodes, act)


def test_a_node_that_hung_is_asked_last_for_a_while() -> None:
    nodes = Nodes({"a": "hangs", "b": "up", "c": "up"})

    async def act(client: httpx.AsyncClient) -> None:
        assert await get(client) == "b:2"
        nodes.kinds["b"] = "down"
        assert await get(client) == "c:3"
        nodes.kinds["c"] = "down"
        nodes.asked.clear()
        nodes.kinds["a"] = "up"
        assert await get(client) == "a:1"
        assert nodes.asked == ["c", "a"]  # The one that failed longest ago comes before "b".
        nodes.now_s += HELD_BACK_S + 1
        nodes.kinds |= {"a": "down", "b": "up"}
        nodes.asked.clear()
        assert await get(client) == "b:2"
        assert nodes.asked == ["a", "b"]

    over(nodes, act)


def test_the_last_node_that_is_left_is_given_all_the_time_there_is() -> None:
    nodes = Nodes({"a": "hangs", "b": "hangs", "c": "up"})

    class Slow(Nodes):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            await asyncio.sleep(5 * SHORT_S)  # What is tested: an answer slower than patience.
            return answer

    slow = Slow(nodes.kinds)

    async def act(client: httpx.AsyncClient) -> None:
        assert await get(client) == "c:3"

    over(slow, act)


def test_requests_under_way_together_fail_as_one_and_failures_in_a_row_earn_patience() -> None:
    origin = NodeAddress(httpx.URL("http://a:1"))
    for _ in range(20):
        origin.fail(asked_s=1.0, now_s=3.0)
    assert origin.patience_s(1.0) == 2.0
    for n in range(10):
        origin.fail(asked_s=n + 4.0, now_s=n + 4.5)
    assert origin.patience_s(1.0) == 2.0**PATIENCE_DOUBLINGS_MAX
    origin.succeed()
    assert origin.patience_s(1.0) == 1.0
