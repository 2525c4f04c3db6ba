"""Several nodes are one chain: the next one is asked when one is away."""

import asyncio

import httpx
import msgspec
import pytest

from iot_minting.chain import Chain
from ledger.genesis import format_genesis
from node.client import NodeClient
from node.errors import NodeUnavailable
from node.views import AccountView, Submission, TransactionState, TransactionView
from tests.support.ledgers import Dairy

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


def node(asked, name, *, away=False):
    def answer(request):
        asked.append(name)
        if away:
            raise httpx.ConnectError("away")
        return httpx.Response(200, content=ANSWERS[request.url.path])

    return NodeClient(f"http://{name}", transport=httpx.MockTransport(answer))


def test_the_next_node_is_asked_when_one_is_away_and_stays_asked():
    async def ask():
        asked = []
        chain = Chain([node(asked, "a", away=True), node(asked, "b")])
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
        asked = []
        chain = Chain([node(asked, name, away=True) for name in "abc"])
        with pytest.raises(NodeUnavailable):
            await chain.status()
        await chain.aclose()
        return asked

    assert asyncio.run(ask()) == ["a", "b", "c"]
