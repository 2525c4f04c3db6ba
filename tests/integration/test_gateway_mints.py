"""The whole gateway in one process, over a real broker and real devices, onto a real ledger."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from iot_minting.errors import MintFault
from iot_minting.even_clock import wall_ms
from iot_minting.gateway.claims import build_claim
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.policy import CutRun
from iot_minting.gateway.service import GatewayService
from iot_minting.gateway.store import OutboxState, Store
from iot_minting.settings import write_config
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.rules.measure import exact_volume
from ledger.state.tables import supply
from ledger.transition import apply_block
from ledger.types.evidence import Instrument
from ledger.types.milk import MintLot
from ledger.types.reading import Unit
from ledger.types.registry import RegisterDevice
from simulator.dairy.fleet import run_devices
from simulator.dairy.line import sleep
from simulator.dairy.live import LiveDairy
from simulator.dairy.player import Player
from simulator.dairy.recording import decode_text, read_recording
from simulator.dairy.replay import replay_identities
from simulator.dairy.setup import LINE, DairyConfig, identify
from tests.support.ledger.dairy import FOREVER, Dairy, key
from tests.support.minting.ledger_chain import LedgerChain
from tests.support.minting.milk_line import MilkLine
from tests.support.minting.parts import running_broker, until

SEED = b"\x21" * 32
SHARED = Path(os.environ.get("BILLCOIN_SHARED_DATA", Path(__file__).parents[3] / "shared/data"))
AS_FAST_AS_PLAYED = 10**9
"""Litres an hour: days of milk flow in seconds here."""
RECORDING = SHARED / "robot-milkings.csv"


class Gateway:
    """A service with its chain, run on a loop of its own until the block is left."""

    def __init__(self, home, port, dairy):
        self.dairy = dairy
        self.chain = LedgerChain(dairy, wall_ms)
        self.home = home
        self.keys = MintKeys(dairy.mmu, dairy.attestor_keys[0], key("ingest"))
        self.config = MintConfig(broker_port=port, tank_grace_ms=4_000)
        write_config(home, self.config)

    async def during(self, work):
        """Run the service while a blocking piece of work runs on a thread."""
        service = GatewayService(self.home, self.config, self.keys, self.dairy.genesis, self.chain)
        ended = asyncio.Event()
        task = asyncio.create_task(service.run(ended))
        try:
            return await asyncio.to_thread(work)
        finally:
            ended.set()
            await task

    def minted(self):
        return supply(self.chain.overlay).minted_units - supply(self.dairy.state()).minted_units

    def registered(self, identities):
        """Let the regulator's registrations become final."""
        for number, each in enumerate(identities):
            body = RegisterDevice(
                each.key,
                each.kind.value,
                each.plant,
                each.operator or address_of(self.dairy.mmu.public),
                FOREVER,
                each.flow_max_l_per_h,
            )
            self.chain.include(self.dairy.transaction(body, self.dairy.regulator, number))


@pytest.fixture
def broker():
    with running_broker() as broker:
        yield broker


@pytest.fixture
def gateway(tmp_path, broker):
    home = tmp_path / "mint"
    home.mkdir()
    return Gateway(home, broker.port, Dairy(attestors=1))


def dairy_config(broker):
    return DairyConfig(broker_port=broker.port, ingest_key=key("ingest").public.hex())


def open_runs(gateway):
    store = Store(gateway.home / "mint.sqlite")
    try:
        return [run for run in store.runs(100) if run.state is not OutboxState.FINAL]
    finally:
        store.close()


def test_a_live_dairy_mints_what_it_pasteurized(tmp_path, broker, gateway):
    identity = identify(SEED, FOREVER)
    gateway.registered(identity.devices)

    def live():
        import threading

        config, chain_id = dairy_config(broker), gateway.dairy.chain_id
        with run_devices(tmp_path, config, chain_id, SEED, list(identity.devices)) as devices:
            dairy = LiveDairy(identity, devices, SEED, 2.0)
            thread = threading.Thread(target=dairy.run)
            thread.start()
            until(lambda: len(gateway.chain.lot_runs) >= 3, 40, "three lots")
            dairy.stop()
            thread.join()
            flowed = devices[f"{LINE}-{Instrument.FLOW_METER.value}"].value
            metered = sum(devices[f"meter-{farm.name}"].value for farm in identity.farms)
            return flowed, metered * 1_000

    flowed, metered = asyncio.run(gateway.during(live))
    assert 3_000_000 <= gateway.minted() <= flowed <= metered
    GatewayService(gateway.home, gateway.config, gateway.keys, gateway.dairy.genesis, gateway.chain)
    store = Store(gateway.home / "mint.sqlite")
    assert len(store.devices()) > 8, "what the chain registered is known after a restart"
    store.close()


def test_a_store_of_another_chain_is_refused(tmp_path, gateway):
    store = Store(gateway.home / "mint.sqlite")
    store.put_meta("chain_id", bytes(32))
    store.close()
    with pytest.raises(MintFault, match="another home"):
        GatewayService(gateway.home, gateway.config, gateway.keys, gateway.dairy.genesis)


def small_recording():
    rows = ["Device,Begin,Yield", "a,2021-04-01 08:00,10.01", "b,2021-04-01 08:01,20.02"]
    rows += ["a,2021-04-01 09:00,0.00", "b,yesterday,3", "a,2021-04-01 10:00,7.77"]
    return read_recording("\n".join(rows), "yield=Yield:lb")


def test_a_recording_is_minted_to_the_unit(tmp_path, broker, gateway):
    recording = small_recording()
    identities = replay_identities(SEED, "replay-1", recording, FOREVER)
    gateway.registered(identities)

    def play():
        config, chain_id = dairy_config(broker), gateway.dairy.chain_id
        with run_devices(tmp_path, config, chain_id, SEED, identities, recording.unit) as devices:
            density = gateway.dairy.genesis.parameters.density_mg_per_l
            player = Player(recording, devices, density, SEED, sleep)
            player.play(0, lambda _: None)
            expected = sum(player.batch.expected)
            until(lambda: gateway.minted() >= expected, 30, "the recording's milk")
            return expected

    expected = asyncio.run(gateway.during(play))
    total = exact_volume(Unit.CENTIPOUND, 1001 + 2002 + 777, 1_030_000)
    assert gateway.minted() == expected == int(total)
    assert open_runs(gateway) == []


def test_the_milk_of_devices_that_came_back_from_a_backup_is_minted(tmp_path, broker, gateway):
    recording = small_recording()
    identities = replay_identities(SEED, "replay-1", recording, FOREVER)
    gateway.registered(identities)
    config, chain_id = dairy_config(broker), gateway.dairy.chain_id
    density = gateway.dairy.genesis.parameters.density_mg_per_l
    home, backup = tmp_path / "dairy", tmp_path / "backup"

    def play(least):
        with run_devices(home, config, chain_id, SEED, identities, recording.unit) as devices:
            player = Player(recording, devices, density, SEED, sleep)
            player.play(0, lambda _: None)
            expected = least + sum(player.batch.expected)
            until(lambda: gateway.minted() >= expected, 30, "the recording's milk")
            return expected

    def restored():
        with run_devices(home, config, chain_id, SEED, identities, recording.unit):
            pass
        shutil.copytree(home, backup)
        first = play(0)
        shutil.rmtree(home)
        backup.rename(home)
        return first, play(first)

    first, both = asyncio.run(gateway.during(restored))
    assert gateway.minted() == both == 2 * first
    assert open_runs(gateway) == []


@pytest.mark.skipif(not RECORDING.exists(), reason=f"{RECORDING} is not there")
def test_the_real_recording_is_claimed_to_the_unit_and_the_ledger_takes_it():
    recording = read_recording(decode_text(RECORDING.read_bytes()), "yield=Yield:lb")
    line = MilkLine(
        dairy=Dairy(farms=len(recording.meters), attestors=1, flow_max_l_per_h=AS_FAST_AS_PLAYED),
        meter_unit=recording.unit,
    )
    meters = dict(zip(recording.meters, line.meters, strict=True))
    density = line.rules.law.density_mg_per_l
    expected, claimed, overlay, batch = 0, 0, line.dairy.state(), 0
    before = supply(overlay).minted_units
    runs = []
    for number, milking in enumerate(recording.milkings, 1):
        meter = meters[milking.device]
        at_ms = line.now_ms + 10
        line.accept(meter, [(at_ms - 5, meter.value), (at_ms, meter.value + milking.steps)])
        batch += milking.steps
        if number % 97 == 0 or number == len(recording.milkings):
            units = int(exact_volume(recording.unit, batch, density))
            expected, batch = expected + units, 0
            line.pasteurize(units, 1_000)
            runs += [d for d in line.step(30_000) if isinstance(d, CutRun)]
    for nonce, run in enumerate(runs):
        claim = build_claim(run, line.rules)
        claimed += claim.units
        (signer,) = line.dairy.attestor_keys
        from iot_minting.attestor.attest import attest

        envelopes = [piece.envelope for piece in run.pieces()]
        body = MintLot(
            claim,
            (
                attest(
                    claim,
                    envelopes,
                    line.rules.law,
                    line.dairy.chain_id,
                    AS_FAST_AS_PLAYED,
                    signer,
                ),
            ),
        )
        transaction = line.dairy.transaction(body, line.dairy.mmu, nonce)
        assert len(encode(transaction)) <= 64 * 1024
        context = line.dairy.context(nonce + 1, line.now_ms)
        (receipt,) = apply_block(overlay, context, [transaction]).receipts
        assert receipt.code == ""
    assert claimed == expected == supply(overlay).minted_units - before
    whole = exact_volume(recording.unit, recording.steps, density)
    assert 0 <= whole - claimed < len(runs)
    assert len(runs) == 20
