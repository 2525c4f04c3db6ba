"""Real parts of the mint for integration tests: a broker process, devices, an ingest process."""

import json
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from iot_minting.device.live import LiveDevice as MeasuringDevice
from iot_minting.device.signer import DeviceSettings
from iot_minting.gateway.duty import Duty
from iot_minting.gateway.ingest import Ingest
from iot_minting.gateway.receipting import Receipts
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.wire.login import ANONYMOUS
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import address_of
from ledger.types.evidence import Instrument
from ledger.types.reading import Stream, Unit
from tests.support.ledger.dairy import key, seed_of
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port

CHAIN = Hash(b"\x0c" * 32)
INGEST = key("ingest")
PLANT = "plant-t"
ROOT = Path(__file__).parents[2]


def until(holds, what="it"):
    """Poll until a condition holds; give what it gave."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := holds():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} never came")


class Broker:
    """The embedded broker as its command; `kill` and `start` again keep the port."""

    def __init__(self):
        self.port = free_port()
        self.process = None

    def start(self):
        command = [
            sys.executable,
            "-m",
            "node.cli.main",
            "mint",
            "broker",
            "--port",
            str(self.port),
        ]
        code = "from node.cli.main import main; main()"
        command = [sys.executable, "-c", code, "mint", "broker", "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._listens, what="broker")

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)

    @property
    def alive(self):
        return self.process.poll() is None


@contextmanager
def running_broker():
    """Run the broker; end it at the end."""
    broker = Broker()
    try:
        broker.start()
        yield broker
    finally:
        broker.process.terminate()
        broker.process.wait(timeout=PATIENCE_S)


def registered(name, kind=Instrument.MILK_METER):
    """A device as the chain knows it."""
    operator = address_of(key(f"farm of {name}").public)
    return RegisteredDevice(key(name).public, kind, PLANT, operator)


@contextmanager
def running_device(port, name, path, *, first=(), login=ANONYMOUS):
    """A real device with its journal, which measured `first` alone; stopped at the end."""
    settings = DeviceSettings(
        name,
        PLANT,
        "l",
        Stream.VOLUME_TOTAL,
        Unit.MILLILITRE,
        CHAIN,
        (INGEST.public,),
        "127.0.0.1",
        port,
        login=login,
    )
    device = MeasuringDevice(settings, key(name), path / f"{name}.sqlite")
    device.record_many(first)
    device.start()
    try:
        yield device
    finally:
        device.stop()


def make_ingest(judge, archive, subscription, **bounds):
    """Make the ingest of a gateway that is alone."""
    receipts = Receipts(CHAIN, INGEST, judge, subscription.publish, Duty())
    return Ingest(judge, archive, subscription, receipts, **bounds)


class IngestProcess:
    """An ingest over a store file, in a process that may be killed."""

    def __init__(self, port, path, devices, *, die_after=0):
        listed = [[d.key.hex(), d.kind.value, d.plant, d.operator.hex()] for d in devices]
        seed = seed_of("ingest")
        command = [
            sys.executable,
            "-m",
            "tests.support.minting.ingest_process",
            str(port),
            str(path),
            CHAIN.hex(),
            seed.hex(),
            json.dumps(listed),
            str(die_after),
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().strip() == "ready"

    def wait_dead(self):
        return self.process.wait(timeout=PATIENCE_S)

    def end(self):
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
