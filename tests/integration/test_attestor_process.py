"""`billcoin attest run` beside a node: its answers outlive kill -9, and it outlives its enemies."""

import asyncio
import contextlib
import signal
import socket
import sys
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from iot_minting.attestor.config import KEY_FILE, AttestorConfig, prepare
from iot_minting.wire.attestor_client import ask
from iot_minting.wire.questions import find_questions
from ledger.evidence import trim_bundle
from ledger.state.tables import DOUBTS
from ledger.types.doubt import AskEvidence
from ledger.types.reading import Envelope
from node.client.queries import MSGPACK
from node.home.key_file import write_key
from tests.support.evidence import rig as rig_module
from tests.support.evidence.rig import START_MS, LineRig
from tests.support.ledger.cheating import HOLD, Cheat
from tests.support.ledger.dairy import Dairy, bill, key, seed_of
from tests.support.ledger.town import PURSES
from tests.support.minting.line_node import LineNode
from tests.support.minting.town_node import TownNode
from tests.support.minting.windows import Window, make_window
from tests.support.node.fake_node import FakeNode
from tests.support.node.fake_node_http import HttpNode
from tests.support.node.rpc_runs import run_async
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port


class Home:
    """An attestor's home, and how to run it."""

    def __init__(self, path, chain_id, node, seed=None):
        self.path, self.chain_id, self.port = path, chain_id, free_port()
        if seed is not None:
            write_key(path / KEY_FILE, seed)
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = prepare(path, AttestorConfig(node_urls=[node.url], port=self.port))

    @asynccontextmanager
    async def running(self):
        """Run the process until the block ends, and kill it as the kernel would."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "node.cli.main", "attest", "run", "--home", str(self.path)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await self.ready(child)
            yield child
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    async def ready(self, child):
        async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(trust_env=False) as http:
            while True:
                assert child.returncode is None, "it ended"
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.get(f"{self.url}/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.05)

    async def ask(self, window, height=0, asker=rig_module.MMU_KEY):
        return await ask(
            {self.key: self.url},
            window.claim,
            window.bundle,
            self.chain_id,
            1,
            15.0,
            asker=asker,
            height=height,
        )

    async def get(self, path):
        async with httpx.AsyncClient(trust_env=False) as http:
            return await http.get(self.url + path)


@pytest.fixture
def chain(monkeypatch):
    ledger = FakeNode()
    monkeypatch.setattr(rig_module, "CHAIN", ledger.chain.chain_id)
    return ledger


def attesting(tmp_path, chain, test):
    """Run a test with a node, and the home of an attestor that believes it."""

    async def whole():
        rig = LineRig()
        for device in rig.devices:
            device.chain_id = chain.chain.chain_id
        node = LineNode(rig, chain)
        async with node.serving() as served:
            await test(node, Home(tmp_path / "attestor", chain.chain.chain_id, served))

    run_async(whole)


def test_what_was_answered_is_answered_again_after_kill_9(tmp_path, chain):
    async def test(node, home):
        window = make_window(node.rig)
        more = window.but(units=window.claim.units + 1)
        async with home.running():
            before = await home.ask(window), await home.ask(more)
        [given], [refused] = before[0].attestations, before[1].refusals
        assert (given.attestor, refused.code) == (home.key, "claim_differs")
        node.rig.accept(window.claim)  # To judge it again is no longer possible.
        async with home.running() as child:
            assert (await home.ask(window), await home.ask(more)) == before
            evidence = await home.get(f"/v1/evidence/{window.claim.readings_root.hex()}")
            kept = msgspec.msgpack.decode(evidence.content, type=list[Envelope])
            assert kept == window.envelopes
            child.send_signal(signal.SIGTERM)
            assert await child.wait() == 0

    attesting(tmp_path, chain, test)


def test_a_window_after_a_window_is_judged_by_what_became_final(tmp_path, chain):
    async def test(node, home):
        node.rig.run(60)
        first = make_window(node.rig, to_ms=START_MS + 20_000)
        async with home.running():
            assert (await home.ask(first)).attestations
            node.rig.accept(first.claim)
            second = make_window(node.rig)
            going = asyncio.create_task(home.ask(second, height=node.height + 1))
            await asyncio.sleep(0.3)
            node.height += 1
            assert (await going).attestations
            assert node.rig.tips, "links were checked from the tips on"

    attesting(tmp_path, chain, test)


def test_one_home_has_one_attestor(tmp_path, chain):
    async def test(_node, home):
        async with home.running():
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "node.cli.main", "attest", "run"),
                *("--home", str(home.path)),
                stderr=asyncio.subprocess.PIPE,
            )
            _, told = await child.communicate()
            assert child.returncode == 1
            assert b"billcoin attest: " in told
            assert b"Traceback" not in told

    attesting(tmp_path, chain, test)


def test_who_sends_slowly_or_never_reads_keeps_nobody_waiting(tmp_path, chain):
    async def test(node, home):
        window = make_window(node.rig)
        raw = window.request()
        head = (
            f"POST /v1/windows HTTP/1.1\r\nhost: a\r\ncontent-type: {MSGPACK}\r\n"
            f"content-length: {len(raw)}\r\n\r\n"
        ).encode()
        async with home.running():
            with contextlib.ExitStack() as held:
                for sent in (head + raw[:-1], head + raw, head, b"POST"):
                    for _ in range(8):
                        peer = socket.create_connection(("127.0.0.1", home.port))
                        held.enter_context(peer)
                        peer.sendall(sent)
                assert (await home.ask(window)).attestations
                assert (await home.get("/healthz")).status_code == 200

    attesting(tmp_path, chain, test)


def test_it_answers_what_is_asked_of_a_lot_that_it_signed_for(tmp_path):
    """Nobody else does: the lot's gateway is dead."""
    town = Cheat(dairy=Dairy(balances=PURSES | {"attestor-0": bill(100)}))
    town.good(*town.line.devices, begin=0, end=120)
    claim = town.claim()
    facts, bundle = town.line.facts(town.state), town.line.bundle(town.state)
    window = Window(claim, trim_bundle(facts, bundle, claim))
    node, signer = TownNode(town), key("attestor-0")

    async def whole():
        served = HttpNode(node)
        async with served.serving():
            home = Home(tmp_path / "attestor", town.dairy.chain_id, served, seed_of("attestor-0"))
            async with home.running():
                asked = await home.ask(window, asker=key("mmu"))
                [given] = asked.attestations
                assert given.attestor == signer.public
                body = town.line.mint(town.state, claim)
                assert node.do("mmu", body) == ""
                question = AskEvidence(claim.lot_id(), town.line.of(HOLD).public, 0, 3, bill(10))
                assert node.do("alice", question) == ""
                async with asyncio.timeout(PATIENCE_S):
                    async for block in node.blocks(1):
                        shown = [each for each in find_questions(block) if each != question]
                        if shown:
                            break
        [answer] = shown
        assert (answer.lot, answer.seq) == (claim.lot_id(), 3)
        assert DOUBTS.get(town.state, claim.lot_id()) is None

    run_async(whole)
