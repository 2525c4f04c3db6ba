"""The feeder's service over real HTTP: nodes that hang or die, and what it shows of itself."""

import asyncio
import contextlib
from contextlib import asynccontextmanager

import httpx
import pytest

from node.client.http import NodeClient
from node.httpd.status import make_status_app, serve_status
from node.pricefeed.config import FeederConfig
from node.pricefeed.errors import BadMemory
from node.pricefeed.memory import MEMORY_FILE, MemoryFile
from node.pricefeed.service import FeederService, FeedSigner
from node.pricefeed.sources import open_source
from node.pricefeed.status import FeederMetrics
from tests.support.node.fake_node import FakeNode
from tests.support.node.fake_node_http import HttpNode
from tests.support.node.feeders import RM, chain_of_feeders, feeder_key, quote
from tests.support.node.rpc_runs import poll, run_async
from tests.support.system.ports import free_port


@pytest.fixture
def ledger():
    return FakeNode(chain_of_feeders(1))


@asynccontextmanager
async def feeding(home, ledger, *urls, port=0):
    """Run a feeder's service of a home until the block ends, as a kill would end it."""
    config = FeederConfig(source="file:price.json", read_every_ms=1_000, home=home)
    signer, metrics = FeedSigner(feeder_key(0), ledger.chain.chain_id), FeederMetrics()
    memory = MemoryFile(home, ledger.chain.chain_id, signer.feeder)
    async with open_source(config.source, home) as source, NodeClient(*urls) as nodes:
        service = FeederService(config, signer, memory, nodes, source, metrics)
        async with serve_status(
            make_status_app(lambda: service.policy.problems, metrics.registry), port
        ):
            task = asyncio.create_task(service.run())
            try:
                yield service
            finally:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def fed(ledger, micro):
    while (await ledger.price()).litre_micro_myr != micro:  # noqa: ASYNC110 - bounded by run_async
        await asyncio.sleep(0.02)


def say(home, ledger, micro):
    (home / "price.json").write_bytes(quote(micro, ledger.finalized_ms))


def test_a_price_gets_past_a_node_that_hangs_and_one_that_is_not_there(tmp_path, ledger):
    async def run():
        hanging, well = HttpNode(ledger), HttpNode(ledger)
        say(tmp_path, ledger, 4 * RM)
        async with hanging.serving(), well.serving():
            hanging.hang()
            nowhere = f"http://127.0.0.1:{free_port()}"
            async with feeding(tmp_path, ledger, nowhere, hanging.url, well.url):
                await fed(ledger, 4 * RM)

    run_async(run)
    assert len([raw for block in ledger.chain_blocks() for raw in block.transactions]) == 1


def test_a_feed_that_a_killed_service_had_sent_is_settled_by_the_next(tmp_path, ledger):
    ledger.automatic = False

    async def run():
        node = HttpNode(ledger)
        say(tmp_path, ledger, 4 * RM)
        async with node.serving():
            async with feeding(tmp_path, ledger, node.url) as service:
                await poll(lambda: ledger.submissions > 0)
                first = service.policy.memory.pending
            ledger.make_block()
            say(tmp_path, ledger, 4_100_000)
            async with feeding(tmp_path, ledger, node.url) as service:
                assert service.policy.memory.pending == first
                await poll(lambda: service.policy.memory.pending is None)
                await fed(ledger, 4 * RM)

    run_async(run)
    assert len([raw for block in ledger.chain_blocks() for raw in block.transactions]) == 1


def test_it_is_ready_when_a_price_can_be_fed_and_says_why_not(tmp_path, ledger):
    port = free_port()

    async def ask(path):
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(f"http://127.0.0.1:{port}{path}")

    async def ready(wanted):
        while (await ask("/readyz")).is_success is not wanted:  # noqa: ASYNC110 - bounded
            await asyncio.sleep(0.02)
        return (await ask("/readyz")).json()

    async def run():
        node = HttpNode(ledger)
        async with node.serving(), feeding(tmp_path, ledger, node.url, port=port):
            await poll(lambda: len(node.asked) > 1)
            assert "price.json" in (await ready(False))["parts"]["source"]
            say(tmp_path, ledger, 4 * RM)
            assert (await ready(True))["parts"] == {}
            await fed(ledger, 4 * RM)
            (tmp_path / "price.json").write_bytes(quote(4_000 * RM, ledger.finalized_ms))
            told = (await ready(False))["parts"]
            assert "RM 4000.000000 is not" in told["quote"]
            shown = (await ask("/metrics")).text
            assert 'billcoin_oracle_quotes_total{code="out_of_bounds"}' in shown
            assert 'billcoin_oracle_feeds_total{outcome="fed"} 1.0' in shown
            assert "billcoin_oracle_price_myr 4.0" in shown
            assert (await ask("/healthz")).json() == {"status": "alive"}

    run_async(run)


def test_what_another_chain_or_a_damaged_disk_left_is_told_and_not_used(tmp_path, ledger):
    signer = FeedSigner(feeder_key(0), ledger.chain.chain_id)
    mine = MemoryFile(tmp_path, ledger.chain.chain_id, signer.feeder)
    mine.keep(mine.read())
    assert mine.read() == mine.read()
    with pytest.raises(BadMemory, match="another chain or another key"):
        MemoryFile(tmp_path, type(ledger.chain.chain_id)(bytes(32)), signer.feeder).read()
    (tmp_path / MEMORY_FILE).write_bytes(b'{"half": ')
    with pytest.raises(BadMemory, match="damaged"):
        mine.read()


def test_a_feed_that_can_not_be_kept_is_not_sent(tmp_path, ledger):
    async def run():
        node = HttpNode(ledger)
        say(tmp_path, ledger, 4 * RM)
        async with node.serving():
            config = FeederConfig(source="file:price.json", home=tmp_path)
            signer = FeedSigner(feeder_key(0), ledger.chain.chain_id)
            memory = MemoryFile(tmp_path, ledger.chain.chain_id, signer.feeder)
            async with (
                open_source(config.source, tmp_path) as source,
                NodeClient(node.url) as nodes,
            ):
                service = FeederService(config, signer, memory, nodes, source, FeederMetrics())
                (tmp_path / MEMORY_FILE).mkdir()  # As a disk that refuses what is written.
                with pytest.raises(OSError, match="directory"):
                    await service.run()

    run_async(run)
    assert ledger.submissions == 0
