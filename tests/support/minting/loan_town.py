"""Gateways with archives of their own, and a wire between them that may lose what it carries."""

from iot_minting.gateway.duty import Duty, PeerLetter
from iot_minting.gateway.loans import PeerLoans
from iot_minting.gateway.pieces import BEGINNING, ChainFloor
from iot_minting.wire.topics import parse_loan_topic, parse_want_topic
from tests.support.ledger.dairy import key
from tests.support.minting.sensor import CHAIN, DEVICE, NOW_MS, Desk, Sensor

NEW = ChainFloor(BEGINNING, None, 0)
NAMES = ("late", "full", "other")
PEER_KEYS = {name: key(f"ingest {name}") for name in NAMES}


class LoanDuty(Duty):
    """What others said, and what they sent."""

    def __init__(self):
        self.said, self.letters = {}, []

    def ends_elsewhere(self):
        return {DEVICE.public: self.said} if self.said else {}

    def take_letters(self):
        letters, self.letters = self.letters, []
        return letters


class Gateway:
    """One gateway's store, and its loans; what it sends goes to the town's wire."""

    def __init__(self, name, town, path):
        self.name, self.town, self.key = name, town, PEER_KEYS[name]
        self.desk, self.duty, self.floor = Desk(path), LoanDuty(), NEW
        self.begin()

    def begin(self):
        peers = [each.public for name, each in PEER_KEYS.items() if name != self.name]
        self.loans = PeerLoans(
            CHAIN,
            self.key,
            peers,
            self.duty,
            self.desk.judge,
            self.desk.archive,
            lambda device: self.floor,
            self.town.send,
        )

    def run(self, now_ms):
        """Do what the ingest does: judge, store, ask."""
        verdicts = self.loans.take(now_ms)
        if verdicts:
            self.desk.archive.record(verdicts)
        self.loans.step(now_ms)
        return len(verdicts)


class Town:
    """Gateways, and the broker between them."""

    def __init__(self, path):
        self.sent, self.lost, self.now_ms = [], set(), NOW_MS
        self.gateways = {name: Gateway(name, self, path / f"{name}.sqlite") for name in NAMES}

    def __getattr__(self, name):
        return self.gateways[name]

    def send(self, topic, raw):
        self.sent.append((topic, raw))
        asker = parse_want_topic(topic)
        for each in self.gateways.values():
            if each.name in self.lost:
                continue
            if asker is not None and each.key.public != asker:
                each.duty.letters.append(PeerLetter(asker, raw))
            if parse_loan_topic(topic) == each.key.public:
                each.duty.letters.append(PeerLetter(None, raw))

    def tell(self, *names):
        """Let the late gateway hear how far others have stored."""
        self.late.duty.said = {
            PEER_KEYS[name].public: self.gateways[name].desk.judge.end(DEVICE.public)
            for name in names
        }

    def run(self, seconds=60, names=("full",)):
        """Let time pass, in steps of an ingest's batch."""
        for _ in range(seconds * 10):
            self.now_ms += 100
            self.tell(*names)
            for each in self.gateways.values():
                each.run(self.now_ms)

    def close(self):
        for each in self.gateways.values():
            each.desk.archive.close()


def history(desk, count=200, reboot=90):
    """Let a device measure, and a gateway store all of it."""
    sensor = Sensor()
    for number in range(count):
        if number == reboot:
            sensor.reboot()
        assert desk.take(sensor.read()) == ["stored"]
    return sensor
