"""The end of a node's RPC: who waits is told what is known, streams end whole, no bug is logged."""

import asyncio
import contextlib
import logging
import time

import httpx

from tests.support.node.rpc_runs import poll, rpc_app, run_async
from tests.support.node.toy_backend import ToyBackend, toy_node, txid_of

WAIT_S = 8
"""Below the ten seconds for which a wait asks."""


class Mute(ToyBackend):
    """A node that takes transactions in and never says so."""

    async def submit(self, raws):
        await super().submit(raws)
        while True:
            await self.reached(2**40)


def test_who_waits_when_the_rpc_ends_is_told_what_is_known_and_nothing_is_a_fault(tmp_path, caplog):
    async def whole():
        backend = Mute()
        async with contextlib.AsyncExitStack() as opened:
            opened.enter_context(toy_node(tmp_path / "rpc.sock", backend))
            async with rpc_app(tmp_path) as client:
                http = httpx.AsyncClient(base_url=client.base_url, timeout=5, trust_env=False)
                await opened.enter_async_context(http)
                batch = {"transactions": [b"pay".hex()]}
                post = asyncio.create_task(http.post("/v1/transactions", json=batch))
                await poll(lambda: b"pay" in backend.pool)
                url = f"/v1/transactions/{txid_of(b'pay').hex()}?wait_ms=10000"
                wait = asyncio.create_task(http.get(url))
                await poll(lambda: "transaction" in backend.asked)
                stream = await opened.enter_async_context(http.stream("GET", "/v1/blocks?from=1"))
            posted, waited = await asyncio.gather(post, wait)
            assert (posted.status_code, posted.json()["taken"]) == (503, "unknown")
            assert (waited.status_code, waited.json()["state"]) == (200, "pending")
            assert stream.status_code == 200
            assert set(await stream.aread()) <= {0}, (
                "it ends as a whole, with signs of life at most"
            )

    began_s = time.monotonic()
    with caplog.at_level(logging.WARNING):
        run_async(whole)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert time.monotonic() - began_s < WAIT_S
