"""Two gateways of one MMU over a real broker: one is killed, the other mints on."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress

import pytest

from iot_minting.errors import BadReceipt
from iot_minting.even_clock import wall_ms
from iot_minting.gateway.config import MintConfig
from iot_minting.settings import write_config
from iot_minting.wire.leases import read_lease
from iot_minting.wire.receipts import read_receipt
from ledger.params import HOUR_MS
from ledger.state.tables import supply
from node.home.key_file import write_key
from simulator.dairy.fleet import run_devices
from simulator.dairy.player import Player
from simulator.dairy.setup import DairyConfig
from tests.support.ledger.dairy import key, seed_of
from tests.support.minting.chain_server import ChainServer
from tests.support.minting.hurrying_clock import HurryingClock, stay_until
from tests.support.minting.ledger_chain import LedgerChain
from tests.support.minting.live_genesis import RECORDING, SEED, RecordedGenesis
from tests.support.minting.mqtt_wire import capture, listening
from tests.support.minting.parts import ROOT, running_broker
from tests.support.system.patience import PATIENCE_S

NAMES = ("one", "two")
ROUNDED_OFF_MAX = 20
LEASE_MS = 1_500


class GatewayProcess:
    """A gateway of a home, over a chain of another process."""

    def __init__(self, home, name, port, socket, **settings):
        self.name, self.home, self.key = name, home, key(name)
        self.socket = str(socket)
        (other,) = set(NAMES) - {name}
        write_key(home / "keys" / "mmu.key", seed_of("mmu"))
        write_key(home / "keys" / "ingest.key", seed_of(name))
        usual = {"window_ms": 2_000, "collect_ms": 1_000, "copies": 1}
        config = MintConfig(
            broker_port=port,
            silence_ms=60_000,
            peers=[key(other).public.hex()],
            lease_ms=LEASE_MS,
            standby=name == "two",
            **(usual | settings),
        )
        write_config(home, config)
        self.process = None

    def start(self):
        module = "tests.support.minting.gateway_process"
        with (self.home / "log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(self.home), self.socket],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)

    def stored(self):
        """Give the numbers of what is on its disk, by device."""
        query = "SELECT device, boot, seq FROM readings ORDER BY device, boot, seq"
        with closing(sqlite3.connect(self.home / "mint.sqlite", timeout=PATIENCE_S)) as db:
            return db.execute(query).fetchall()

    def has(self, device, settled):
        """Tell whether an envelope is on its disk."""
        with closing(sqlite3.connect(self.home / "mint.sqlite", timeout=PATIENCE_S)) as db:
            query = "SELECT 1 FROM readings WHERE device = ? AND boot = ? AND seq >= ?"
            return bool(db.execute(query, (device, *settled.number)).fetchone())


class Witness:
    """Hears every receipt, and looks at once whether both gateways have what it says."""

    def __init__(self, chain_id, gateways):
        self.chain_id, self.gateways = chain_id, gateways
        self.ahead, self.signers = [], set()

    def hear(self, topic, raw):
        device = bytes.fromhex(topic.rpartition("/")[2])
        for each in self.gateways:
            try:
                settled = read_receipt(raw, self.chain_id, (each.key.public,), device).settled
            except BadReceipt:
                continue
            self.signers.add(each.name)
            if not all(other.has(device, settled) for other in self.gateways):
                self.ahead.append((each.name, device.hex(), settled.number))


@contextmanager
def two_gateways(tmp_path, dairy, **settings):
    with running_broker() as broker:
        chain = LedgerChain(dairy, wall_ms)
        with ChainServer(chain, tmp_path / "chain.sock") as server:
            gateways = [
                GatewayProcess(
                    tmp_path / name, name, broker.port, server.path, **settings.get(name, {})
                )
                for name in NAMES
            ]
            try:
                yield broker, chain, gateways
            finally:
                for each in gateways:
                    if each.process is not None:
                        each.kill()


def holder_of(broker, dairy, gateways):
    """Name the gateway whose lease the broker keeps."""
    topic, raw = capture(broker.port, "bc/v1/lease/+", PATIENCE_S)
    plant = topic.rpartition("/")[2]
    lease = read_lease(raw, dairy.chain_id, dairy.mmu.public, plant)
    (found,) = [each for each in gateways if each.key.public == lease.holder]
    return found


@pytest.mark.timeout(900)
def test_a_killed_holders_plant_is_minted_on_and_no_receipt_runs_ahead_of_copies(tmp_path):
    dairy = RecordedGenesis()
    density = dairy.genesis.parameters.density_mg_per_l
    with two_gateways(tmp_path, dairy) as (broker, chain, gateways):
        one, two = gateways
        clock = HurryingClock(dairy.genesis)
        begun, witness = supply(chain.overlay).minted_units, Witness(dairy.chain_id, gateways)

        def unminted(expected):
            return expected - (supply(chain.overlay).minted_units - begun)

        def play(devices, before):
            """Play the recording, until it is minted and receipted; give what must be by then."""
            player = Player(RECORDING, devices, density, SEED, clock.wait, clock.even)
            player.play(0, lambda _: None)
            expected = before + sum(player.batch.expected)
            stay_until(player, lambda: unminted(expected) <= ROUNDED_OFF_MAX and witness.signers)
            return expected

        for each in gateways:
            each.start()
        with (
            listening(broker.port, "bc/v1/receipt/+", witness.hear),
            devices_of(tmp_path / "dairy", broker, dairy) as devices,
        ):
            first = play(devices, 0)
            assert holder_of(broker, dairy, gateways) is one
            one.kill()
            both = play(devices, first)
            assert holder_of(broker, dairy, gateways) is two
            assert all(device.held for device in devices.values())  # There is no second copy.
            assert witness.ahead == []
            one.start()
            assert all(device.wait_receipted(PATIENCE_S) for device in devices.values())
            assert holder_of(broker, dairy, gateways) is two
        assert both == 2 * first
        assert 0 <= unminted(both) <= ROUNDED_OFF_MAX
        assert witness.ahead == []
        assert witness.signers == {"one", "two"}


@pytest.mark.timeout(900)
def test_a_standby_that_joins_late_mints_all_that_devices_have_forgotten(tmp_path):
    """The first one is alone at first, claims nothing, and is killed once it has lent it all."""
    dairy = RecordedGenesis()
    density = dairy.genesis.parameters.density_mg_per_l
    idle = {"window_ms": 24 * HOUR_MS, "collect_ms": HOUR_MS, "copies": 0}
    with two_gateways(tmp_path, dairy, one=idle) as (broker, chain, (one, two)):
        clock = HurryingClock(dairy.genesis)
        begun = supply(chain.overlay).minted_units
        one.start()
        with devices_of(tmp_path / "dairy", broker, dairy) as devices:
            player = Player(RECORDING, devices, density, SEED, clock.wait, clock.even)
            player.play(0, lambda _: None)
            expected = sum(player.batch.expected)
            assert all(device.wait_receipted(PATIENCE_S) for device in devices.values())
            assert not any(device.held for device in devices.values()), "they have forgotten it"
            alone = one.stored()
            two.start()
            wait_for(lambda: set(alone) <= set(two.stored()), "two has what one has")
            one.kill()

            def unminted():
                return expected - (supply(chain.overlay).minted_units - begun)

            stay_until(player, lambda: unminted() <= ROUNDED_OFF_MAX)
        assert 0 <= unminted() <= ROUNDED_OFF_MAX


def wait_for(holds, what):
    """Wait until a file shows something; it may not be there yet."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s:
        with suppress(sqlite3.OperationalError):
            if holds():
                return
        time.sleep(0.2)
    raise AssertionError(what)


def devices_of(home, broker, dairy):
    config = DairyConfig(
        broker_port=broker.port,
        ingest_key=key("one").public.hex(),
        standby_keys=[key("two").public.hex()],
    )
    return run_devices(home, config, dairy.chain_id, SEED, dairy.identities, RECORDING.unit)
