"""The RPC from end to end: HTTP, the RPC process' code, the unix socket, a toy node."""

import asyncio
import json
import socket

import httpx
import msgspec
import pytest

from ledger.primitives.keys import format_address
from node.client.errors import NodeUnavailable, Rejected
from node.client.views import TransactionState
from node.errors import PortTaken
from node.httpd.server import bind
from tests.support.node.rpc_runs import linked_up, poll, rpc_app, run_async
from tests.support.node.toy_backend import CHAIN, LOT, RICH, ToyBackend, toy_node, txid_of


@pytest.fixture
def home(tmp_path):
    return tmp_path


def served(home, backend=None):
    """Run a test against a toy node and its RPC."""

    def decorate(test):
        async def whole():
            with toy_node(home / "rpc.sock", backend) as node:
                async with rpc_app(home) as client:
                    await test(node, client)

        run_async(whole)

    return decorate


async def raw_http(client, method, path, **kwargs):
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
        return await http.request(method, path, **kwargs)


def test_a_client_sees_what_the_node_shows(home):
    @served(home)
    async def _(node, client):
        status = await client.status()
        assert (status.chain_id, status.prefix, status.supply_units) == (CHAIN, "dbill", 4_000_000)
        assert await client.genesis() == b'{"name": "try"}'
        account = await client.account(RICH)
        assert (account.units, account.nonce, account.pending_nonce) == (2_500_000, 4, 5)
        assert await client.lots() == [LOT]
        assert (await client.supply()).ok
        node.mine()
        assert await client.history(RICH, limit=1) == [bytes([1]) * 32]


def test_people_read_json_with_hex_ids_bech32_addresses_and_decimal_bill(home):
    @served(home)
    async def _(_node, client):
        address = format_address(RICH, "dbill")
        shown = (await raw_http(client, "GET", f"/v1/accounts/{address}")).json()
        nonces = {"nonce": 4, "pending_nonce": 5}
        told = {"address": address, "bill": "2.500000", **nonces, "attestor_bond_bill": "0.000000"}
        assert shown == told
        status = (await raw_http(client, "GET", "/v1/status")).json()
        assert status["chain_id"] == CHAIN.hex()
        assert status["supply_bill"] == "4.000000"
        lots = (await raw_http(client, "GET", "/v1/lots")).json()["lots"]
        assert lots[0]["remaining_bill"] == "1.500000"
        block = (await raw_http(client, "GET", "/v1/blocks/0")).json()
        assert block["proposer"] == address
        metrics = await raw_http(client, "GET", "/metrics")
        assert metrics.text == "billcoin_height 1\n"


def test_a_batch_is_answered_one_by_one_in_order(home):
    @served(home)
    async def _(node, client):
        outcomes = await client.submit([b"one", b"no", b"two"])
        assert [o.code for o in outcomes] == ["", "malformed", ""]
        assert [o.txid for o in outcomes] == [txid_of(b"one"), None, txid_of(b"two")]
        assert node.backend.pool == [b"one", b"two"]
        assert await client.submit([]) == []
        body = {"transactions": [b"three".hex()]}
        shown = (await raw_http(client, "POST", "/v1/transactions", json=body)).json()
        assert shown["submissions"][0]["txid"] == txid_of(b"three").hex()


def test_waiting_for_a_transaction_ends_when_it_is_final(home):
    @served(home)
    async def _(node, client):
        txid = txid_of(b"pay")
        assert (await client.transaction(txid)).state is TransactionState.UNKNOWN
        await client.submit([b"pay", b"bad"])
        assert (await client.transaction(txid)).state is TransactionState.PENDING
        waiting = [asyncio.create_task(client.transaction(txid, 10_000)) for _ in range(20)]
        await poll(lambda: node.backend.asked.count("transaction") == 22)
        node.mine()
        for view in await asyncio.gather(*waiting):
            assert (view.state, view.height, view.raw) == (TransactionState.FINAL, 1, b"pay")
        failed = await client.transaction(txid_of(b"bad"), 1_000)
        assert (failed.code, failed.fee_units) == ("refused", 100)


def test_waiting_in_vain_ends_in_time_with_what_is_known(home):
    @served(home)
    async def _(_node, client):
        view = await client.transaction(txid_of(b"never"), 50)
        assert view.state is TransactionState.UNKNOWN


def test_a_stream_gives_every_block_once_and_goes_on_live(home):
    @served(home)
    async def _(node, client):
        for _ in range(5):
            node.mine()
        got = []
        async for block in client.blocks(2):
            got.append(block.height)
            if block.height >= 5:
                node.mine()
            if block.height == 9:
                break
        assert got == list(range(2, 10))


def test_followers_at_the_head_cost_the_node_nothing(home):
    @served(home)
    async def _(node, client):
        async def follow():
            async for block in client.blocks(1):
                if block.height == 30:
                    return

        followers = [asyncio.create_task(follow()) for _ in range(10)]
        await asyncio.sleep(0.1)
        node.backend.asked.clear()
        for _ in range(30):
            node.mine()
        await asyncio.gather(*followers)
        assert node.backend.asked.count("block") <= 60, "not once a follower and block"


def test_a_stream_survives_a_restart_of_the_node(home):
    async def whole():
        backend = ToyBackend()
        got = []

        async def follow(client):
            async for block in client.blocks(1):
                got.append(block.height)  # noqa: PERF401 - each as it comes

        with toy_node(home / "rpc.sock", backend) as node:
            async with rpc_app(home) as client:
                following = asyncio.create_task(follow(client))
                node.mine()
                await poll(lambda: got == [1])
                node.stop()
                while True:
                    try:
                        await client.status()
                    except NodeUnavailable:
                        break
                with toy_node(home / "rpc.sock", backend) as again:
                    again.mine()
                    await poll(lambda: got == [1, 2])
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)

    run_async(whole)


def test_without_a_node_every_answer_says_so_and_when_to_come_back(home):
    async def whole():
        async with rpc_app(home, linked=False) as client:
            with pytest.raises(NodeUnavailable, match="node_unavailable"):
                await client.status()
            response = await raw_http(client, "GET", "/v1/status")
            assert response.status_code == 503
            assert response.headers["retry-after"] == "1"
            assert response.headers["content-type"] == "application/problem+json"
            with toy_node(home / "rpc.sock"):
                await linked_up(client)
                assert (await client.status()).name == "toy"

    run_async(whole)


def test_without_an_rpc_process_the_client_says_where_it_looked(home):
    async def whole():
        from node.client.http import NodeClient

        async with NodeClient("http://127.0.0.1:1") as client:
            with pytest.raises(NodeUnavailable, match=r"127\.0\.0\.1:1"):
                await client.status()

    run_async(whole)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/accounts/nonsense", None, 400, "bad_address"),
        ("GET", "/v1/transactions/xyz", None, 400, "bad_txid"),
        ("GET", f"/v1/transactions/{'00' * 31} 0", None, 400, "bad_txid"),
        ("GET", f"/v1/accounts/{'00' * 31}  ", None, 400, "bad_address"),
        ("GET", f"/v1/accounts/{'00' * 31}%20%20/history", None, 400, "bad_address"),
        ("GET", f"/v1/accounts/{'00' * 31}%09%0a/lots", None, 400, "bad_address"),
        ("GET", f"/v1/trace/{'00' * 31}  ", None, 400, "bad_subject"),
        ("GET", f"/v1/proofs/{'00' * 31}  ", None, 400, "bad_txid"),
        ("GET", "/v1/blocks/1_0", None, 400, "bad_height"),
        ("GET", "/v1/blocks/at/%D9%A1", None, 400, "bad_time_ms"),
        ("GET", "/v1/blocks?from=%201", None, 400, "bad_from"),
        ("GET", f"/v1/transactions/{'00' * 32}?wait_ms=x", None, 400, "bad_wait_ms"),
        ("GET", f"/v1/transactions/{'00' * 32}?wait_ms=99999", None, 400, "bad_wait_ms"),
        ("GET", "/v1/blocks/-1", None, 400, "bad_height"),
        ("GET", "/v1/blocks/²", None, 400, "bad_height"),
        ("GET", "/v1/blocks/999", None, 404, "unknown_block"),
        ("GET", "/v1/blocks?from=0", None, 400, "bad_from"),
        ("GET", "/v1/lots?limit=0", None, 400, "bad_limit"),
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("DELETE", "/v1/status", None, 405, "method_not_allowed"),
        ("POST", "/v1/transactions", b"", 400, "bad_batch"),
        ("POST", "/v1/transactions", b"[]", 400, "bad_batch"),
        ("POST", "/v1/transactions", b'{"transactions": ["zz"]}', 400, "bad_batch"),
        ("POST", "/v1/transactions", b'{"transactions": ["00 11"]}', 400, "bad_batch"),
        ("POST", "/v1/transactions", b'{"transactions": [1]}', 400, "bad_batch"),
        (
            "POST",
            "/v1/transactions",
            b'{"transactions": ["00"], "transactions": ["11"]}',
            400,
            "bad_batch",
        ),
        ("POST", "/v1/transactions", b'{"transactions": []}', 400, "bad_batch"),
        ("POST", "/v1/transactions", b"[" * 100_000, 400, "bad_batch"),
        ("POST", "/v1/transactions", b"x" * 13_000_000, 413, "body_too_large"),
    ],
)
def test_wrong_input_is_told_as_a_problem(home, method, path, body, status, code):
    @served(home)
    async def _(node, client):
        response = await raw_http(client, method, path, content=body)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        told = json.loads(response.content)
        assert (told["code"], told["status"]) == (code, status)
        assert told["detail"]
        assert node.backend.pool == []


def test_wrong_messagepack_is_told_as_a_problem(home):
    @served(home)
    async def _(_node, client):
        headers = {"content-type": "application/msgpack"}
        for body in (b"\xc1", msgspec.msgpack.encode([1]), msgspec.msgpack.encode([bytes(70_000)])):
            response = await raw_http(
                client, "POST", "/v1/transactions", content=body, headers=headers
            )
            assert response.json()["code"] == "bad_batch"
        with pytest.raises(Rejected) as caught:
            await client.submit([bytes(70_000)])
        assert (caught.value.code, caught.value.status) == ("bad_batch", 400)


def test_a_bug_in_one_query_leaves_the_node_serving(home):
    @served(home)
    async def _(node, client):
        node.backend.fails = True
        with pytest.raises(NodeUnavailable, match="internal"):
            await client.account(RICH)
        node.backend.fails = False
        assert (await client.account(RICH)).units == 2_500_000


def test_many_requests_at_once_are_all_answered(home):
    @served(home)
    async def _(_node, client):
        views = await asyncio.gather(*(client.account(bytes([i]) * 32) for i in range(200)))
        assert [view.address[0] for view in views] == list(range(200))


def test_answers_do_not_wait_for_more_to_send():
    # Nagle's algorithm and delayed acknowledgements cost 40 ms an answer. asyncio switches the
    # former off on what a listener accepts only if the listener says that it is TCP.
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_told_with_its_number():
    with bind("127.0.0.1", 0) as listener:
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            bind("127.0.0.1", port)
