"""Receipts: by who holds the plant, never ahead of copies, the newest boot last."""

from iot_minting.gateway.copies import NO_COPY, Copies
from iot_minting.gateway.duty import Duty
from iot_minting.gateway.receipting import Receipts
from iot_minting.wire.receipts import COUNT_MAX, NOTHING_SETTLED, SettledEnvelope, read_receipt
from iot_minting.wire.topics import receipt_topic
from ledger.primitives.hashing import Hash
from tests.support.ledger.dairy import key

CHAIN = Hash(b"\x0c" * 32)
INGEST = key("ingest")
METER, OTHER = key("meter").public, key("other").public
PEERS = [key(f"peer {number}").public for number in range(3)]


class Known:
    """What is stored: by device and boot, the last number."""

    def __init__(self):
        self.last = {(METER, 0): 9, (METER, 1): 4}

    def settled(self, device, boot, seq_max=COUNT_MAX):
        seq = min(self.last.get((device, boot), -1), seq_max)
        return None if seq < 0 else SettledEnvelope(boot, seq, Hash(bytes([seq]) * 32))

    def newest(self, device):
        return max((boot for each, boot in self.last if each == device), default=None)

    def plant(self, device):
        return "p"


class HeldDuty(Duty):
    """A duty beside others, as the test says."""

    def __init__(self, copies=0):
        self.held, self.copies, self.fresh, self.told = True, Copies(copies), set(), []

    def holds(self, plant):
        return self.held

    def tell_copy(self, plant, device, settled):
        self.told.append((plant, device, settled.number))

    def take_fresh(self):
        fresh, self.fresh = self.fresh, set()
        return fresh

    def reach(self, device, boot):
        return self.copies.reach(device, boot)

    def is_elsewhere(self, device):
        return self.copies.has(device)

    def hear(self, peer, boot, seq, device=METER):
        self.copies.hear(peer, device, boot, seq)
        self.fresh.add((device, boot))


class Office:
    """Receipts, and what was sent."""

    def __init__(self, duty):
        self.sent = []
        self.receipts = Receipts(CHAIN, INGEST, Known(), self._publish, duty)

    def _publish(self, topic, raw):
        for device in (METER, OTHER):
            if topic == receipt_topic(device):
                settled = read_receipt(raw, CHAIN, (INGEST.public,), device).settled
                self.sent.append((device, settled))

    def tell(self, *touched, elsewhere=()):
        """Tell, and give the numbers that were receipted."""
        self.sent.clear()
        self.receipts.tell(frozenset(touched), frozenset(elsewhere))
        return [settled.number for _, settled in self.sent]


def test_alone_all_that_is_stored_is_receipted_the_newest_boot_last():
    office = Office(Duty())
    assert office.tell((METER, 0)) == [(0, 9), (1, 4)]
    assert office.tell(elsewhere=[METER]) == [(1, 4)]
    assert office.tell() == []


def test_only_the_holder_gives_receipts_and_everyone_tells_of_its_copies():
    duty = HeldDuty()
    office = Office(duty)
    assert office.tell((METER, 1)) == [(1, 4)]
    duty.held = False
    assert office.tell((METER, 1), elsewhere=[METER, OTHER]) == []
    assert duty.told == [("p", METER, (1, 4))] * 2


def test_a_receipt_never_runs_ahead_of_copies_and_follows_them_when_they_come():
    duty = HeldDuty(copies=2)
    office = Office(duty)
    assert office.tell((METER, 1)) == []
    duty.hear(PEERS[0], 1, 4)
    assert office.tell() == []
    duty.hear(PEERS[1], 1, 2)
    assert office.tell() == [(1, 2)]
    assert office.sent[0][1].digest == bytes([2]) * 32
    duty.hear(PEERS[2], 1, 77)
    assert office.tell() == [(1, 4)]
    assert duty.told == [("p", METER, (1, 4))]  # Others' copies are no news of its own.


def test_nothing_is_said_to_be_stored_only_where_no_other_gateway_stored_anything():
    duty = HeldDuty()
    office = Office(duty)
    assert office.tell(elsewhere=[OTHER]) == [NOTHING_SETTLED.number]
    duty.hear(PEERS[0], 0, 1, OTHER)
    assert office.tell(elsewhere=[OTHER]) == []


def test_copies_are_counted_by_gateway_and_boot_and_never_fall():
    copies = Copies(2)
    assert (Copies(0).reach(METER, 0), copies.reach(METER, 0)) == (COUNT_MAX, NO_COPY)
    for peer, seq in ((PEERS[0], 8), (PEERS[0], 3), (PEERS[1], 5)):
        copies.hear(peer, METER, 0, seq)
    assert copies.reach(METER, 0) == 5
    assert copies.reach(METER, 1) == NO_COPY
    for boot in range(1, 5):
        copies.hear(PEERS[0], METER, boot, 0)
    assert copies.reach(METER, 0) == NO_COPY  # Only the newest boots are remembered.
