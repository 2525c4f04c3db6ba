"""What the observer makes of answers, silence and disagreement; and a whole run, in small."""

import asyncio
import json
import sys

import httpx
import msgspec
import pytest

from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address
from ledger.state.records import LotStatus
from node.client.http import NodeClient
from node.client.views import FinalBlock, LotView, NodeStatus, PriceView
from simulator.testnet import plan
from simulator.testnet.create import create
from simulator.testnet.figures import Figures
from simulator.testnet.layout import Layout
from simulator.testnet.observation import OPENING_PLANT, Observer
from simulator.testnet.run import Run, Wishes
from simulator.testnet.supervisor import Program


def status(height, *, p50=0.0, ok=True):
    return NodeStatus(
        name="n", network="dev", prefix="dbill", chain_id=Hash(bytes(32)), height=height,
        block_hash=Hash(bytes([height % 256]) * 32), block_time_ms=0, view=height + 1, epoch=0,
        finalized_ms=0, peers=3, validators=4, pending=0, minted_units=Units(10),
        redeemed_units=Units(4), supply_units=Units(6), supply_ok=ok, finality_p50_ms=p50,
        finality_p95_ms=p50 * 2, finality_p99_ms=p50 * 3, version="0",
    )  # fmt: skip


def block(height, salt=0):
    name = Hash(bytes([salt]) * 32)
    return FinalBlock(height, name, name, height, 0, 0, Address(bytes(32)), (), ())


def lot(number, plant):
    name = Hash(bytes([number]) * 32)
    left = Units(3)
    return LotView(
        name, "whole", plant, "line", 1, Units(5), left, left, Units(0), Units(0), 0,
        LotStatus.SOUND,
    )  # fmt: skip


def price(litre_micro_myr):
    return PriceView(
        round=1, litre_micro_myr=litre_micro_myr, updated_ms=0, height=1, time_ms=0, fresh_ms=1,
        low_micro_myr=0, high_micro_myr=9, floor_micro_myr=0, ceiling_micro_myr=9, quorum=1,
        feeders_least=1, feeders=(), feeds=(), fee_units=Units(100),
    )  # fmt: skip


class FakeNodes:
    """Validators that answer from memory; one that is missing does not answer."""

    def __init__(self, statuses):
        self.statuses = statuses
        self.salts = dict.fromkeys(statuses, 0)
        self.litre_micro_myr = 0
        self.lots = [lot(2, OPENING_PLANT), lot(1, "ampang")]

    def connect(self, url):
        return NodeClient(url, transport=httpx.MockTransport(self.answer))

    def answer(self, request):
        name = request.url.host
        if name not in self.statuses:
            raise httpx.ConnectError("refused")
        path = request.url.path
        if path == "/v1/status":
            found = self.statuses[name]
        elif path == "/v1/lots":
            found = self.lots
        elif path == "/v1/price":
            found = price(self.litre_micro_myr)
        else:
            height = int(path.rpartition("/")[2])
            found = block(height, self.salts[name])
        return httpx.Response(200, content=msgspec.msgpack.encode(found))


def observe(nodes, tmp_path, names=("n0", "n1"), rounds=1):
    figures = Figures(0, fresh=True)

    async def run():
        urls = {name: f"http://{name}" for name in names}
        async with Observer(urls, tmp_path, figures, nodes.connect) as observer:
            for _ in range(rounds):
                await observer.observe()

    asyncio.run(run())
    return figures


def test_every_validator_s_word_is_taken_in(tmp_path):
    nodes = FakeNodes({"n0": status(5, p50=20.0), "n1": status(6)})
    figures = observe(nodes, tmp_path)
    assert (figures.nodes["n0"].height, figures.nodes["n1"].height) == (5, 6)
    assert figures.nodes["n0"].finality.p95_ms == 40.0
    assert figures.nodes["n1"].finality is None, "nothing was measured yet"
    assert figures.blocks == 6
    assert figures.supply_ok
    assert figures.forks == 0


def test_a_silent_validator_is_noted_and_disturbs_no_other(tmp_path):
    figures = observe(FakeNodes({"n1": status(6)}), tmp_path)
    assert figures.silent == {"n0"}
    assert set(figures.nodes) == {"n1"}


def test_only_milk_that_was_minted_is_listed(tmp_path):
    figures = observe(FakeNodes({"n1": status(6)}), tmp_path)
    assert [found.name for found in figures.lots] == ["01010101"]


def test_the_price_is_known_once_it_was_fed(tmp_path):
    nodes = FakeNodes({"n1": status(6)})
    assert observe(nodes, tmp_path).litre_micro_myr is None
    nodes.litre_micro_myr = 3_612_345
    assert observe(nodes, tmp_path).litre_micro_myr == 3_612_345


def test_two_hashes_at_one_height_are_a_fork(tmp_path):
    nodes = FakeNodes({"n0": status(5), "n1": status(6)})
    nodes.salts["n1"] = 1
    assert observe(nodes, tmp_path).forks == 1


def test_a_fork_once_seen_is_never_forgotten(tmp_path):
    nodes = FakeNodes({"n0": status(5), "n1": status(6)})
    nodes.salts["n1"] = 1
    figures = Figures(0, fresh=True)

    async def run():
        urls = {name: f"http://{name}" for name in ("n0", "n1")}
        async with Observer(urls, tmp_path, figures, nodes.connect) as observer:
            await observer.observe()
            nodes.salts["n1"] = 0
            await observer.compare()

    asyncio.run(run())
    assert figures.forks == 1


@pytest.mark.parametrize("quiet", [True, False])
def test_a_run_starts_its_programs_tells_of_deaths_and_ends_by_itself(
    tmp_path, monkeypatch, capfd, quiet
):
    layout = Layout(tmp_path / "net")
    description = create(layout, 1, seed=1)
    sleeper = (sys.executable, "-c", "import time; time.sleep(60)")
    failing = (sys.executable, "-c", "import sys; sys.exit('no milk today')")
    monkeypatch.setattr(
        plan, "programs", lambda *_: [Program("node-0", sleeper), Program("dairy", failing)]
    )
    wishes = Wishes(None, None, 1.5, None, board=True, quiet=quiet)
    run = Run(layout, description, wishes)
    asyncio.run(run.go())
    told = capfd.readouterr()
    assert "dairy ended: exit code 1" in told.err + told.out
    assert "no milk today" in told.err + told.out
    assert (told.out == "") == quiet, "with --json, stdout is for the one line alone"
    state = layout.read_state()
    assert [process.pid for process in state.processes] == [None, None]
    assert state.figures["blocks"] == 0
    assert json.dumps(run.figures.summary())
