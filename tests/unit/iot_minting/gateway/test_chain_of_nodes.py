"""The gateway's words reach the nodes, and a node that is away is passed over."""

import asyncio

import httpx
import msgspec
import pytest

from iot_minting.gateway.chain import Chain
from ledger.genesis import format_genesis
from node.client.errors import NodeUnavailable
from node.client.failover import FailoverTransport
from node.client.http import NodeClient
from node.client.views import AccountView, Submission, TransactionState, TransactionView
from tests.support.ledger.dairy import Dairy

DAIRY = Dairy()
ADDRESS = bytes(32)
ANSWERS = {
    "/v1/genesis": format_genesis(DAIRY.genesis).encode(),
    f"/v1/accounts/{ADDRESS.hex()}": msgspec.msgpack.encode(AccountView(ADDRESS, 5, 1, 1)),
    "/v1/transactions": msgspec.msgpack.encode([Submission(ADDRESS, "", "")]),
    f"/v1/transactions/{ADDRESS.hex()}": msgspec.msgpack.encode(
        TransactionView(ADDRESS, TransactionState.PENDING)
    ),
    "/v1/lots": msgspec.msgpack.encode([]),
}


def chain_over(asked, *, away):
    async def answer(request):
        asked.append(request.url.host)
        if request.url.host in away:
            raise httpx.ConnectError("away")
        return httpx.Response(200, content=ANSWERS[request.url.path])

    nodes = FailoverTransport(["http://a", "http://b"], httpx.MockTransport(answer))
    return Chain(NodeClient("http://a", transport=nodes))


def test_the_next_node_is_asked_when_one_is_away_and_stays_asked():
    async def ask():
        asked = []
        chain = chain_over(asked, away="a")
        assert (await chain.genesis()).chain_id == DAIRY.chain_id
        assert (await chain.account(ADDRESS)).units == 5
        assert (await chain.submit(b"x")).code == ""
        assert (await chain.transaction(ADDRESS, 5)).state is TransactionState.PENDING
        assert await chain.lots(3) == []
        await chain.aclose()
        return asked

    assert asyncio.run(ask()) == ["a", "b", "b", "b", "b", "b"]


def test_when_all_are_away_the_caller_is_told():
    async def ask():
        chain = chain_over([], away="ab")
        with pytest.raises(NodeUnavailable):
            await chain.status()
        await chain.aclose()

    asyncio.run(ask())
