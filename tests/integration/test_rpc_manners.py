"""The node's HTTP as RFC 9110 has it, what a POST without an answer tells, and quiet partings."""

import asyncio
import logging
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from ledger.primitives.codec import encode
from ledger.types.transaction import decode_transaction
from node.client.errors import NodeUnavailable, Unanswered
from node.client.http import NodeClient
from node.client.queries import MSGPACK, QUERIES
from node.client.views import TransactionState, TransactionView
from node.shell.rpc import app as rpc_app_module
from tests.support.lightclient.proof_chain import payment
from tests.support.node.rpc_runs import linked_up, poll, rpc_app, run_async
from tests.support.node.toy_backend import RICH, ToyBackend, toy_node

PAID = encode(payment(0))
PAID_ID = payment(0).id
JSON = "application/json"


def served(folder, test, backend=None):
    """Run a test against a toy node and its RPC."""

    async def whole():
        with toy_node(folder / "rpc.sock", backend) as node:
            async with (
                rpc_app(folder) as client,
                httpx.AsyncClient(base_url=client.base_url, timeout=5, trust_env=False) as http,
            ):
                await test(node, http)

    run_async(whole)


def port_of(http):
    return http.base_url.port


@asynccontextmanager
async def connection(http):
    """Speak HTTP by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http))
    try:
        yield reader, writer
    finally:
        writer.close()


async def head_of(reader):
    return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()


def test_head_is_answered_wherever_get_is_with_the_heads_of_get(tmp_path):
    async def test(_node, http):
        for path in ("/v1/status", "/v1/genesis", "/v1/supply", "/metrics", "/v1/blocks/0",
                     "/openapi.json", f"/v1/accounts/{RICH.hex()}", "/v1/blocks/999"):  # fmt: skip
            got, head = await http.get(path), await http.head(path)
            assert (head.status_code, head.content) == (got.status_code, b""), path
            kept = {"content-type", "content-length"}
            assert {n: head.headers[n] for n in kept} == {n: got.headers[n] for n in kept}

    served(tmp_path, test)


def test_head_of_a_stream_that_never_ends_ends_at_once_and_takes_no_place(tmp_path, monkeypatch):
    monkeypatch.setattr(rpc_app_module, "FOLLOWERS_MAX", 1)

    async def test(_node, http):
        for _ in range(5):
            head = await http.head("/v1/blocks?from=1")
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-type"] == "application/octet-stream"
            assert "content-length" not in head.headers
        async with http.stream("GET", "/v1/blocks?from=1") as stream:
            assert stream.status_code == 200, "the one place is still free"
        assert (await http.head("/v1/blocks?from=0")).status_code == 400

    served(tmp_path, test)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_what_a_way_does_not_take_it_answers_with_what_it_does(tmp_path, query):
    async def test(_node, http):
        path = query.path.replace("{address}", RICH.hex()).replace("{height}", "0")
        allowed = "POST" if query.method == "POST" else "GET, HEAD"
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - set(allowed.split(", ")):
            answer = await http.request(method, path)
            assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
            assert answer.json()["code"] == "method_not_allowed"

    served(tmp_path, test)


@pytest.mark.parametrize(
    ("fields", "packed"),
    [
        ([], False),
        (["*/*"], False),
        ([JSON], False),
        (["text/html, */*;q=0.8"], False),
        ([MSGPACK], True),
        (["Application/MsgPack"], True),
        ([f"{MSGPACK} ; q=0.5"], True),
        ([f"{MSGPACK};q=0"], False),
        ([f"{MSGPACK};q=0.000, {JSON}"], False),
        ([f"{JSON}, {MSGPACK}"], True),
        ([f"{JSON};Q=0.9,{MSGPACK}"], True),
        ([f"{JSON} , {MSGPACK} ;q=0.9"], False),
        ([JSON, MSGPACK], True),
        (["text/plain", f"{MSGPACK};q=0.1"], True),
        (["application/msgpackx"], False),
    ],
)
def test_the_form_of_an_answer_is_what_the_client_likes_best(tmp_path, fields, packed):
    async def test(_node, http):
        del http.headers["accept"]
        answer = await http.get("/v1/supply", headers=[("accept", field) for field in fields])
        assert answer.headers["content-type"] == (MSGPACK if packed else JSON)
        assert answer.headers["vary"] == "accept"

    served(tmp_path, test)


JSON_BATCH = msgspec.json.encode({"transactions": [b"pay".hex()]})
PACKED_BATCH = msgspec.msgpack.encode([b"pay"])


@pytest.mark.parametrize(
    ("fields", "body", "status", "code"),
    [
        ({}, JSON_BATCH, 200, ""),
        ({"content-type": "Application/JSON ; charset=utf-8"}, JSON_BATCH, 200, ""),
        ({"content-type": "application/x-www-form-urlencoded"}, JSON_BATCH, 200, ""),
        ({"content-type": MSGPACK.upper()}, PACKED_BATCH, 200, ""),
        ({"content-type": MSGPACK, "content-encoding": "Identity"}, PACKED_BATCH, 200, ""),
        ({"content-type": JSON, "content-encoding": "gzip"}, b"", 415, "unsupported_encoding"),
        ({"content-encoding": "identity, br"}, b"", 415, "unsupported_encoding"),
        ({"content-type": "text/plain"}, JSON_BATCH, 415, "unsupported_media_type"),
        ({"content-type": f"{MSGPACK}x"}, PACKED_BATCH, 415, "unsupported_media_type"),
    ],
)  # fmt: skip
def test_a_body_in_a_form_that_is_not_taken_is_told_so(tmp_path, fields, body, status, code):
    async def test(node, http):
        answer = await http.post("/v1/transactions", content=body, headers=fields)
        assert answer.status_code == status
        assert answer.json().get("code", "") == code
        assert node.backend.pool == ([b"pay"] if status == 200 else [])
        if code == "unsupported_encoding":
            assert answer.headers["accept-encoding"] == "identity"
        if code == "unsupported_media_type":
            assert answer.headers["accept"] == f"{JSON}, {MSGPACK}"

    served(tmp_path, test)


def test_white_space_around_a_header_s_value_is_none_of_it(tmp_path):
    async def test(node, http):
        async with connection(http) as (reader, writer):
            writer.write(
                b"POST /v1/transactions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
                b"content-type:\t application/msgpack \t\r\n"
                b"accept:  \tapplication/msgpack ; q=1\t\r\n"
                b"content-encoding:\tidentity \r\ncontent-length:  %d \r\n\r\n%b"
                % (len(PACKED_BATCH), PACKED_BATCH)
            )
            head = await head_of(reader)
            assert "200 ok" in head
            assert f"content-type: {MSGPACK}\r\n" in head
        assert node.backend.pool == [b"pay"]

    served(tmp_path, test)


class Mute(ToyBackend):
    """A node that takes transactions in and never says so."""

    async def submit(self, raws):
        await super().submit(raws)
        while True:
            await self.reached(2**40)

    def transaction(self, txid):
        waits = txid in [decode_transaction(raw).id for raw in self.pool if raw == PAID]
        return TransactionView(txid, TransactionState.PENDING if waits else "unknown")


def test_a_post_without_an_answer_names_its_ids_and_the_node_knows_them(tmp_path):
    async def whole():
        backend = Mute()
        with toy_node(tmp_path / "rpc.sock", backend) as node:
            async with rpc_app(tmp_path) as client:
                async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
                    batch = {"transactions": [PAID.hex(), b"no transaction".hex()]}
                    post = asyncio.create_task(http.post("/v1/transactions", json=batch))
                    await poll(lambda: PAID in backend.pool)
                    node.stop()
                    answer = await post
                    told = answer.json()
                    assert (answer.status_code, told["code"]) == (503, "node_unavailable")
                    assert (told["taken"], told["txids"]) == ("unknown", [PAID_ID.hex(), None])
                    assert "ask for the id" in told["detail"]
                with toy_node(tmp_path / "rpc.sock", backend):
                    await linked_up(client)
                    view = await client.transaction(PAID_ID)
                    assert view.state is TransactionState.PENDING

    run_async(whole)


def test_a_post_that_the_node_was_not_given_says_so(tmp_path):
    async def whole():
        async with rpc_app(tmp_path, linked=False) as client:
            async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as http:
                batch = {"transactions": [PAID.hex()]}
                answer = await http.post("/v1/transactions", json=batch)
                assert (answer.status_code, answer.json()["taken"]) == (503, "no")
                assert "txids" not in answer.json()
            with pytest.raises(NodeUnavailable) as caught:
                await client.submit([PAID])
            assert not isinstance(caught.value, Unanswered)

    run_async(whole)


def test_a_bug_where_transactions_come_in_is_told_as_one_that_may_have_taken_them(tmp_path):
    class Stumbling(ToyBackend):
        async def submit(self, raws):
            await super().submit(raws)
            raise RuntimeError("a bug after the transactions were taken")

    async def test(node, http):
        async with NodeClient(str(http.base_url)) as client:
            with pytest.raises(Unanswered, match="internal"):
                await client.submit([PAID])
            assert PAID in node.backend.pool
            assert (await client.supply()).ok

    served(tmp_path, test, Stumbling())


def test_a_stream_shows_life_when_nothing_comes(tmp_path, monkeypatch):
    monkeypatch.setattr(rpc_app_module, "QUIET_S", 0.05)

    async def test(_node, http):
        async with http.stream("GET", "/v1/blocks?from=1") as stream:
            got = b""
            async for chunk in stream.aiter_bytes():
                got += chunk
                if len(got) >= 12:
                    break
            assert got[:12] == bytes(12)

    served(tmp_path, test)


def test_who_leaves_is_no_news(tmp_path, caplog):
    async def test(node, http):
        async with connection(http) as (_, writer):  # In the middle of a body.
            writer.write(
                b"POST /v1/transactions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{"
            )
            await writer.drain()
        async with connection(http) as (reader, writer):  # In the middle of a stream.
            writer.write(b"GET /v1/blocks?from=1 HTTP/1.1\r\nhost: x\r\n\r\n")
            assert "200 ok" in await head_of(reader)
            node.mine()
            await reader.read(1)
        asked = node.backend.asked.count("transaction")
        async with connection(http) as (_, writer):  # While it waits for a transaction.
            writer.write(
                f"GET /v1/transactions/{'00' * 32}?wait_ms=300 HTTP/1.1\r\nhost: x\r\n\r\n".encode()
            )
            await poll(lambda: node.backend.asked.count("transaction") > asked)
        for _ in range(3):
            node.mine()
        assert (await http.get("/v1/supply")).status_code == 200

    with caplog.at_level(logging.INFO):
        served(tmp_path, test)
    loud = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in loud] == []
