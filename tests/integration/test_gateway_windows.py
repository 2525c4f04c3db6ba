"""The whole gateway in one process: real broker and devices, onto a real ledger."""

import asyncio
import shutil
import threading

import pytest
from paho.mqtt import publish
from paho.mqtt.enums import MQTTProtocolVersion

from iot_minting.device.live import STALL_S
from iot_minting.errors import MintFault
from iot_minting.even_clock import wall_ms
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.letters import Letters, LetterState, What
from iot_minting.gateway.posting import read_body
from iot_minting.gateway.service import GatewayService
from iot_minting.gateway.starting import subscribe
from iot_minting.gateway.store import Store
from iot_minting.gateway.subscription import Subscription
from iot_minting.settings import write_config
from iot_minting.wire.attestor_client import Asked
from iot_minting.wire.login import ANONYMOUS
from iot_minting.wire.topics import readings_filter, readings_topic
from ledger.evidence import check_window, claimed_envelopes, evidence_root
from ledger.params import MARGIN_MS
from ledger.primitives.keys import PublicKey
from ledger.rules.measure import exact_volume
from ledger.state.names import tip_name
from ledger.state.tables import LINES, TIPS, supply
from ledger.types.evidence import Instrument
from ledger.types.line import line_id
from ledger.types.reading import Unit
from ledger.types.window import WindowAttestation
from simulator.dairy.fleet import run_devices
from simulator.dairy.live import LiveDairy, tell_past
from simulator.dairy.player import Player
from simulator.dairy.setup import LINE, PLANT, DairyConfig, identify
from tests.support.ledger.dairy import FOREVER, key
from tests.support.minting.hurrying_clock import HurryingClock, stay_until
from tests.support.minting.ledger_chain import LedgerChain
from tests.support.minting.live_genesis import RECORDING, SEED, LiveGenesis, RecordedGenesis
from tests.support.minting.parts import running_broker, until

ROUNDED_OFF_MAX = 20
"""Units that collections and windows of both lives may round off."""
NAME = line_id(PLANT, LINE)


class AgedGenesis(LiveGenesis):
    """A chain that began so long ago that the milk of its first second may be minted."""

    past_ms = MARGIN_MS


class Gateway:
    """A service with its chain; `attest` is what its attestors do."""

    def __init__(self, home, port, dairy):
        self.dairy = dairy
        self.chain = LedgerChain(self.dairy, wall_ms)
        self.home = home
        self.keys = MintKeys(self.dairy.mmu, key("ingest"))
        self.config = MintConfig(
            broker_port=port, window_ms=2_000, collect_ms=1_000, silence_ms=60_000
        )
        self.refusing = 0
        write_config(home, self.config)

    async def attest(self, cut, facts, needed):
        """Attest as an honest attestor does: by facts of its own."""
        if self.refusing:
            self.refusing -= 1
            return Asked((), (), {})
        check_window(facts.lines[cut.claim.line], cut.claim, cut.bundle)
        envelopes = claimed_envelopes(cut.claim, cut.bundle)
        signers = self.dairy.attestor_keys[:needed]
        return Asked(tuple(self._sign(each, cut, envelopes) for each in signers), (), {})

    def _sign(self, signer, cut, envelopes):
        root = evidence_root(signer.public, envelopes)
        signature = signer.sign(cut.claim.signing_bytes(self.dairy.chain_id, root))
        return WindowAttestation(signer.public, root, signature)

    async def during(self, work, subscription=None):
        """Run the service while a blocking piece of work runs on a thread."""
        service = GatewayService(
            self.home,
            self.config,
            self.keys,
            self.dairy.genesis,
            self.chain,
            self.attest,
            subscription,
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
            return [each for what in What for each in letters.latest(what, 1_000)]
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
    return Gateway(home, broker.port, AgedGenesis())


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
    config = DairyConfig(
        broker_port=broker.port,
        ingest_key=key("ingest").public.hex(),
        past_ms=gateway.dairy.past_ms,
    )
    with run_devices(home, config, gateway.dairy.chain_id, SEED, list(identity.devices)) as devices:
        tell_past(identity, devices, SEED, config, wall_ms())
        dairy = LiveDairy(identity, devices, SEED, 2.0)
        thread = threading.Thread(target=dairy.run)
        thread.start()
        try:
            until(holds, what)
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


def test_what_devices_said_before_a_node_answered_is_taken_in_without_being_sent_again(
    tmp_path, broker, gateway
):
    early = subscribe(gateway.config, gateway.keys, ANONYMOUS)
    witness = Subscription("witness", [readings_filter()])
    for each in (early, witness):
        each.start("127.0.0.1", broker.port)
        until(lambda each=each: hears(each, broker.port), "a subscription")
    identity = identify(SEED, FOREVER)
    config = DairyConfig(broker_port=broker.port, ingest_key=key("ingest").public.hex())
    with run_devices(
        tmp_path / "dairy", config, gateway.dairy.chain_id, SEED, list(identity.devices)
    ) as devices:
        meter = devices[f"meter-{identity.farms[0].name}"]
        meter.record([(wall_ms(), 0)])
        until(lambda: meter.key.public.hex() in witness.take(1, 1.0)[0].topic, "a reading")
        receipted = gateway.during(lambda: meter.wait_receipted(STALL_S - 2), early)
        assert asyncio.run(receipted)
    witness.stop()


def hears(subscription, port):
    """Tell whether a subscription hears by now what is no reading of anybody."""
    nobodys = readings_topic("nowhere", "no", PublicKey(bytes(32)))
    publish.single(nobodys, b"", 1, port=port, protocol=MQTTProtocolVersion.MQTTv5)
    return subscription.take(1, 0.2)


def test_a_store_of_another_chain_is_refused(gateway):
    store = Store(gateway.home / "mint.sqlite")
    store.put_meta("chain_id", bytes(32))
    store.close()
    with pytest.raises(MintFault, match="another home"):
        GatewayService(gateway.home, gateway.config, gateway.keys, gateway.dairy.genesis)


@pytest.mark.timeout(900)
def test_a_recording_is_minted_and_again_by_devices_that_came_back_from_a_backup(tmp_path, broker):
    home, backup = tmp_path / "dairy", tmp_path / "backup"
    (tmp_path / "mint").mkdir()
    gateway = Gateway(tmp_path / "mint", broker.port, RecordedGenesis())

    clock = HurryingClock(gateway.dairy.genesis)

    def restored():
        with devices_of(gateway, home, broker):
            pass
        shutil.copytree(home, backup)
        first = play_recording(gateway, home, broker, 0, clock)
        shutil.rmtree(home)
        backup.rename(home)
        return first, play_recording(gateway, home, broker, first, clock)

    first, both = asyncio.run(gateway.during(restored))
    assert first == int(exact_volume(Unit.CENTIPOUND, 1001 + 2002 + 777, 1_030_000))
    assert both == 2 * first
    assert 0 <= both - gateway.minted() <= ROUNDED_OFF_MAX
    assert failed(gateway) == []


def devices_of(gateway, home, broker):
    config = DairyConfig(broker_port=broker.port, ingest_key=key("ingest").public.hex())
    dairy = gateway.dairy
    return run_devices(home, config, dairy.chain_id, SEED, dairy.identities, RECORDING.unit)


def play_recording(gateway, home, broker, before, clock):
    """Play it, and stay on until all is minted; give what must be on the chain by then."""
    with devices_of(gateway, home, broker) as devices:
        density = gateway.dairy.genesis.parameters.density_mg_per_l
        player = Player(RECORDING, devices, density, SEED, clock.wait, clock.even)
        player.play(0, lambda _: None)
        expected = before + sum(player.batch.expected)

        def done():
            minted = expected - gateway.minted() <= ROUNDED_OFF_MAX
            return minted and (before or has_moved_on(gateway))

        stay_until(player, done)
        return expected


def has_moved_on(gateway):
    """Tell whether windows are done with the first envelope of each of the line's devices."""
    (line,) = gateway.dairy.genesis.lines
    name = line_id(line.plant, line.line)
    tips = [TIPS.get(gateway.chain.overlay, tip_name(name, device)) for device in line.devices]
    return all(tip is not None and not tip.again for tip in tips)
