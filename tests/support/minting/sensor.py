"""A device that signs linked envelopes, and the judge and archive that take them."""

from dataclasses import dataclass, field

from iot_minting.gateway.allowance import device_allowance
from iot_minting.gateway.archive import Archive
from iot_minting.gateway.linking import LinkJudge
from iot_minting.gateway.registry import Registry
from iot_minting.gateway.types import RegisteredDevice
from iot_minting.gateway.verdicts import Accepted, PutOff, RefusedEnvelope, Repeated
from iot_minting.wire.topics import readings_topic
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import address_of
from ledger.types.evidence import Instrument
from ledger.types.reading import Reading, Stream, Unit, sign_reading
from tests.support.ledger.dairy import key

CHAIN = Hash(b"\x0d" * 32)
PLANT = "plant-t"
NOW_MS = 1_700_000_000_000
DEVICE = key("linked")


@dataclass
class Sensor:
    """A device that signs linked envelopes; a reboot goes on with the chain."""

    boot: int = 1
    seq: int = 0
    previous: Hash = ZERO_HASH
    made: list = field(default_factory=list)

    def read(self, *, signer=DEVICE, tamper=False, value=None, t0_ms=None, **changes):
        at = NOW_MS + len(self.made) * 1_000 if t0_ms is None else t0_ms
        fields = {
            "version": 2,
            "device": DEVICE.public,
            "boot": self.boot,
            "seq": self.seq,
            "t0_ms": at,
            "stream": Stream.VOLUME_TOTAL,
            "unit": Unit.MILLILITRE,
            "samples": ((0, len(self.made) if value is None else value),),
            "calibration": "cal",
            "firmware": "1",
            "tamper": tamper,
            "previous": self.previous,
        }
        envelope = sign_reading(Reading(**{**fields, **changes}), CHAIN, signer)
        self.seq, self.previous = self.seq + 1, envelope.digest()
        self.made.append(envelope)
        return envelope

    def reboot(self, *, lost=False):
        self.boot, self.seq = self.boot + 1, 0
        self.previous = ZERO_HASH if lost else self.previous


class Desk:
    """A judge over an archive on disk, as the ingest has them."""

    def __init__(self, path, tip=None, allowance=device_allowance):
        self.path, self.tip, self.allowance = path, tip, allowance
        self.archive = Archive(path)
        self.judge = self._judge()

    def _judge(self):
        device = RegisteredDevice(
            DEVICE.public, Instrument.FLOW_METER, PLANT, address_of(DEVICE.public)
        )
        return LinkJudge(
            CHAIN,
            Registry([device]),
            self.archive,
            self.archive.ends(),
            lambda device: self.tip,
            self.allowance,
        )

    def restart(self):
        self.archive.close()
        self.archive = Archive(self.path)
        self.judge = self._judge()

    def take(self, envelope, *, topic=None, arrival_ms=NOW_MS):
        raw = envelope if isinstance(envelope, bytes) else encode(envelope)
        topic = topic or readings_topic(PLANT, "l", DEVICE.public)
        verdicts = self.judge.judge(topic, raw, arrival_ms)
        self.archive.record(verdicts)
        return [code(verdict) for verdict in verdicts]

    def stored(self):
        return [each for each, _ in self.archive.after(DEVICE.public, (-1, -1), 10_000)]


def code(verdict):
    match verdict:
        case Accepted():
            return "stored"
        case Repeated():
            return "repeated"
        case RefusedEnvelope(entry=entry):
            return entry.code
        case PutOff():
            return "put off"
