"""Real sockets: a node that takes connections and never answers holds nobody up for long."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator

import msgspec
import pytest

from ledger.primitives.hashing import Hash
from node.client.errors import NodeUnavailable
from node.client.failover import DEADLINE_S, PATIENCE_S
from node.client.http import NodeClient
from node.client.views import Submission, TransactionState, TransactionView

TXID = Hash(bytes(32))
ANSWERS = {
    "POST": msgspec.msgpack.encode([Submission(TXID, "", "")]),
    "GET": msgspec.msgpack.encode(TransactionView(TXID, TransactionState.PENDING)),
}


@contextlib.asynccontextmanager
async def serving(*, answers: bool) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve HTTP on a port of its own, or only take what comes; give the address and requests."""
    taken: list[bytes] = []
    closed = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            async with contextlib.aclosing(_heads(reader)) as heads:
                async for method in heads:
                    taken.append(method)
                    if answers:
                        body = ANSWERS[method.decode()]
                        head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body)
                        writer.write(head + body)
        writer.close()
        closed.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", taken
        if taken:
            await closed.wait()  # The client has gone; its last connection is closed here as well.


async def _heads(reader: asyncio.StreamReader) -> AsyncGenerator[bytes, None]:
    """Read requests to the end of the connection; give their methods."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        await reader.readexactly(int(fields.get(b"content-length", b"0")))
        yield head.split(b" ", 1)[0]


def test_a_submission_leaves_a_silent_node_and_the_next_does_not_ask_it() -> None:
    async def run() -> None:
        async with (
            serving(answers=False) as (silent, asked),
            serving(answers=True) as (healthy, served),
            NodeClient(silent, healthy) as client,
        ):
            began = time.monotonic()
            (said,) = await client.submit([b"signed bytes"])
            assert said.code == ""
            assert time.monotonic() - began < DEADLINE_S
            assert asked == [b"POST"]
            await client.submit([b"more bytes"])
            await client.transaction(TXID)
            assert (asked, served) == ([b"POST"], [b"POST", b"POST", b"GET"])

    asyncio.run(run())


def test_a_long_wait_that_was_asked_for_is_no_silence() -> None:
    async def run() -> None:
        async with (
            serving(answers=False) as (silent, _),
            serving(answers=True) as (healthy, served),
            NodeClient(silent, healthy) as client,
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(PATIENCE_S + 0.5):
                    await client.transaction(TXID, wait_ms=3_000)
            assert served == []

    asyncio.run(run())


def test_where_all_are_silent_the_caller_is_told_in_bounded_time() -> None:
    async def run() -> None:
        async with (
            serving(answers=False) as (one, asked_one),
            serving(answers=False) as (other, asked_other),
            NodeClient(one, other) as client,
        ):
            with pytest.raises(NodeUnavailable, match="2 nodes"):
                async with asyncio.timeout(120):
                    await client.submit([b"signed bytes"])
            assert (asked_one, asked_other) == ([b"POST"], [b"POST"])

    asyncio.run(run())
