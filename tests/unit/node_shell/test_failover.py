"""A request reaches the first node that can be reached, and is never carried out twice."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest

from node.client.failover import FailoverTransport

URLS = ("http://a:1", "http://b:2", "http://c:3")


class Nodes(httpx.AsyncBaseTransport):
    """Hosts that answer, refuse the connection, or break after the request has left."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self.kinds = dict(kinds)
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        self.asked.append(host)
        if self.kinds[host] == "down":
            raise httpx.ConnectError("refused")
        if self.kinds[host] == "breaks":
            raise httpx.ReadError("gone")
        return httpx.Response(200, text=request.headers["host"])


def ask(nodes: Nodes, times: int = 1) -> list[str]:
    async def run() -> list[str]:
        transport = FailoverTransport(URLS, nodes)
        async with httpx.AsyncClient(transport=transport, base_url=URLS[0]) as client:
            return [(await client.get("/x")).text for _ in range(times)]

    return asyncio.run(run())


def test_a_node_that_is_down_is_passed_over_and_not_asked_again() -> None:
    nodes = Nodes({"a": "down", "b": "up", "c": "up"})
    assert ask(nodes, 2) == ["b:2", "b:2"]
    assert nodes.asked == ["a", "b", "b"]


def test_a_request_that_has_left_is_not_repeated_elsewhere() -> None:
    nodes = Nodes({"a": "breaks", "b": "up", "c": "up"})
    with pytest.raises(httpx.ReadError):
        ask(nodes)
    assert nodes.asked == ["a"]


def test_when_all_are_down_each_was_tried_once() -> None:
    nodes = Nodes(dict.fromkeys("abc", "down"))
    with pytest.raises(httpx.ConnectError):
        ask(nodes)
    assert nodes.asked == ["a", "b", "c"]
