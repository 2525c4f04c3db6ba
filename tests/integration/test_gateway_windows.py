"""The gateway of the second law in one process: real broker and devices, onto a real ledger."""

import asyncio
import threading
from functools import cached_property

import pytest
from msgspec.structs import replace

from iot_minting.even_clock import wall_ms
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.letters import Letters, LetterState, What
from iot_minting.gateway.line_service import LineService
from iot_minting.gateway.posting import read_body
from iot_minting.settings import write_config
from iot_minting.wire.attestor_client import Asked
from ledger.evidence import check_window, claimed_envelopes, evidence_root
from ledger.genesis import GenesisDevice
from ledger.params import DAY_MS
from ledger.primitives.keys import address_of
from ledger.state.tables import LINES, supply
from ledger.types.evidence import Instrument
from ledger.types.line import line_id
from ledger.types.window import WindowAttestation
from simulator.dairy.fleet import run_devices
from simulator.dairy.live import LiveDairy
from simulator.dairy.setup import LINE, PLANT, DairyConfig, identify
from simulator.testnet.lines import dairy_line, dairy_permits
from tests.support.ledger.dairy import FOREVER, Dairy, key
from tests.support.minting.ledger_chain import LedgerChain
from tests.support.minting.parts import running_broker, until

SEED = b"\x22" * 32
NAME = line_id(PLANT, LINE)


class LiveGenesis(Dairy):
    """A dairy whose chain begins now, with the simulated dairy's devices, line and permits."""

    @cached_property
    def genesis(self):
        identity, mmu, now_ms = identify(SEED, FOREVER), address_of(self.mmu.public), wall_ms()
        devices = tuple(
            GenesisDevice(
                each.key,
                each.kind,
                each.plant,
                each.operator or mmu,
                FOREVER,
                each.flow_max_l_per_h,
            )
            for each in identity.devices
        )
        usual = super().genesis
        stock = tuple(replace(each, expires_ms=now_ms + DAY_MS) for each in usual.stock)
        begun = replace(usual, time_ms=now_ms, devices=devices, stock=stock)
        begun = replace(begun, lines=(dairy_line(identity, mmu),))
        begun = replace(begun, permits=dairy_permits(identity, mmu, now_ms))
        begun.check()
        return begun


class Gateway:
    """A service with its chain; `attest` is what its attestors do."""

    def __init__(self, home, port):
        self.dairy = LiveGenesis(attestors=1)
        self.chain = LedgerChain(self.dairy, wall_ms)
        self.home = home
        self.keys = MintKeys(self.dairy.mmu, self.dairy.attestor_keys[0], key("ingest"))
        self.config = MintConfig(
            broker_port=port, law=2, window_ms=2_000, collect_ms=1_000, silence_ms=60_000
        )
        self.refusing = 0
        write_config(home, self.config)

    async def attest(self, cut, facts, needed):
        """Attest as an honest attestor does: by facts of its own."""
        if self.refusing:
            self.refusing -= 1
            return Asked((), (), {})
        check_window(facts.lines[cut.claim.line], cut.claim, cut.bundle)
        (signer,) = self.dairy.attestor_keys
        root = evidence_root(signer.public, claimed_envelopes(cut.claim, cut.bundle))
        signature = signer.sign(cut.claim.signing_bytes(self.dairy.chain_id, root))
        return Asked((WindowAttestation(signer.public, root, signature),), (), {})

    async def during(self, work):
        """Run the service while a blocking piece of work runs on a thread."""
        service = LineService(
            self.home, self.config, self.keys, self.dairy.genesis, self.chain, self.attest
        )
        ended = asyncio.Event()
        task = asyncio.create_task(service.run(ended))
        working = asyncio.create_task(asyncio.to_thread(work))
        try:
            await asyncio.wait([task, working], return_when=asyncio.FIRST_COMPLETED)
            return await working if working.done() else task.result()
        finally:
            ended.set()
            await task

    def minted(self):
        return supply(self.chain.overlay).minted_units - supply(self.dairy.state()).minted_units

    def letters(self):
        letters = Letters(self.home / "mint.sqlite")
        try:
            return letters.latest(1_000)
        finally:
            letters.close()


@pytest.fixture
def broker():
    with running_broker() as broker:
        yield broker


@pytest.fixture
def gateway(tmp_path, broker):
    home = tmp_path / "mint"
    home.mkdir()
    return Gateway(home, broker.port)


def lots(gateway):
    """List the windows that became lots."""
    return [
        each
        for each in gateway.letters()
        if each.what is What.WINDOW and each.state is LetterState.FINAL and each.units
    ]


def play(gateway, home, broker, holds, what):
    """Let the dairy live until something holds; give what flowed and was metered."""
    identity = identify(SEED, FOREVER)
    config = DairyConfig(broker_port=broker.port, ingest_key=key("ingest").public.hex())
    with run_devices(home, config, gateway.dairy.chain_id, SEED, list(identity.devices)) as devices:
        dairy = LiveDairy(identity, devices, SEED, 2.0)
        thread = threading.Thread(target=dairy.run)
        thread.start()
        try:
            until(holds, 75, what)
        finally:
            dairy.stop()
            thread.join()
        flowed = devices[f"{LINE}-{Instrument.FLOW_METER.value}"].value
        metered = sum(devices[f"meter-{farm.name}"].value for farm in identity.farms)
        return flowed, metered * 1_000


def test_a_live_dairys_windows_are_minted(tmp_path, broker, gateway):
    gateway.refusing = 2

    def live():
        return play(gateway, tmp_path / "dairy", broker, lambda: len(lots(gateway)) >= 3, "lots")

    flowed, metered = asyncio.run(gateway.during(live))
    assert 1_000_000 <= gateway.minted() <= flowed <= metered
    assert failed(gateway) == []
    assert all(each.lost_steps == 0 for each in claims(gateway)[1:])
    assert LINES.get(gateway.chain.overlay, NAME).through_ms > gateway.dairy.genesis.time_ms


def test_a_gateway_that_was_killed_goes_on_where_the_chain_stands(tmp_path, broker, gateway):
    def sent():
        return any(each.state is LetterState.SENT for each in gateway.letters())

    def live(holds, what):
        work = gateway.during(lambda: play(gateway, tmp_path / "dairy", broker, holds, what))
        return asyncio.run(work)

    live(lambda: lots(gateway), "a lot")
    before = gateway.minted()
    gateway.chain.deaf = True
    live(sent, "a letter that nobody keeps")
    gateway.chain.deaf = False
    flowed, _ = live(lambda: len(lots(gateway)) >= 3, "lots")
    assert before < gateway.minted() <= flowed
    assert failed(gateway) == []


def failed(gateway):
    """List why letters were refused."""
    return [each.detail for each in gateway.letters() if each.state is LetterState.FAILED]


def claims(gateway):
    """List the windows that are final, oldest first."""
    return [
        read_body(each).claim
        for each in reversed(gateway.letters())
        if each.what is What.WINDOW and each.state is LetterState.FINAL
    ]
