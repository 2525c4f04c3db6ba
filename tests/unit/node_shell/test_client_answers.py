"""The client of a node: whatever answers in the node's place, it is a fault with words."""

import asyncio
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ledger.primitives.codec import encode
from node.client.errors import ClientFault, NodeUnavailable, Unanswered
from node.client.http import NodeClient

NO_TEXT = encode({"chain_id": "text"}).replace(b"text", b"\xff\xff\xff\xff")


@contextmanager
def answering(status, body):
    """Serve one answer to every request."""

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.do_GET()

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def ask(url):
    async with NodeClient(url) as client:
        await client.supply()


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xc1", NO_TEXT, b"\x91" * 100_000])
def test_an_answer_that_no_node_gives_is_told(body):
    with answering(200, body) as url, pytest.raises(NodeUnavailable, match="not one of a BillCoin"):
        asyncio.run(ask(url))


@pytest.mark.parametrize("status", [400, 503])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"code": "\xff"}', b"[" * 100_000])
def test_a_refusal_without_sense_is_a_fault_all_the_same(status, body):
    with answering(status, body) as url, pytest.raises(ClientFault):
        asyncio.run(ask(url))


async def hand_in(*urls):
    async with NodeClient(*urls) as client:
        await client.submit([b"a transaction"])


@pytest.mark.parametrize(
    ("status", "body", "may_be_taken"),
    [
        (503, b'{"code": "node_unavailable", "taken": "no"}', False),
        (503, b'{"code": "node_unavailable", "taken": "unknown"}', True),
        (503, b'{"code": "node_unavailable"}', True),
        (502, b"<html>a proxy's own words", True),
        (500, b"", True),
        (200, b"<html>", True),
        (200, encode("no list"), True),
    ],
)
def test_who_hands_in_learns_whether_it_may_have_been_taken(status, body, may_be_taken):
    with answering(status, body) as url, pytest.raises(NodeUnavailable) as caught:
        asyncio.run(hand_in(url))
    assert isinstance(caught.value, Unanswered) == may_be_taken


NOWHERE = "http://127.0.0.1:1"
REFUSED = b'{"code": "node_unavailable", "taken": "no"}'


def test_what_reached_no_node_was_not_taken():
    with pytest.raises(NodeUnavailable) as caught:
        asyncio.run(hand_in(NOWHERE, NOWHERE))
    assert not isinstance(caught.value, Unanswered)


def test_what_one_of_several_nodes_may_have_taken_may_be_taken_whatever_the_last_one_says():
    with answering(503, b"") as first, answering(503, REFUSED) as last:
        for urls in ((first, last), (first, NOWHERE)):
            with pytest.raises(Unanswered):
                asyncio.run(hand_in(*urls))
