"""From where on a gateway needs a device's chain, and whose letters it reads."""

import pytest
from msgspec.structs import replace

from iot_minting.even_clock import EvenClock
from iot_minting.gateway.collecting import FarmMeter, Stretch
from iot_minting.gateway.config import MintConfig, MintKeys
from iot_minting.gateway.duty import LETTERS_MAX, PeerLetter, SharedDuty
from iot_minting.gateway.following import Following, TankNames
from iot_minting.gateway.pieces import BEGINNING, ChainFloor, done_with
from iot_minting.gateway.registry import Registry
from iot_minting.wire.loans import LOAN_BYTES_MAX
from iot_minting.wire.receipts import SettledEnvelope, sign_copy
from iot_minting.wire.topics import copy_topic, loan_topic, want_topic
from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from tests.support.evidence.rig import CHAIN, MMU, START_MS, LineRig
from tests.support.ledger.dairy import Dairy, key
from tests.support.minting.windows import make_window

METER = key("meter")
PEER, STRANGER = key("peer").public, key("stranger").public


class Facts(Following):
    """What final blocks said last, as a test has it."""

    def __init__(self, *lines, meters=(), time_ms=0):
        dairy = Dairy()
        names = TankNames(dairy.genesis, {}, lambda tank, name: None)
        super().__init__(None, Registry(), dairy.genesis.parameters, MMU, names, {})
        self._lines = {each.line_id: each for each in lines}
        self._meters = {each.key: each for each in meters}
        self._time_ms = time_ms


@pytest.fixture
def rig():
    return LineRig()


def test_of_a_device_that_windows_linked_all_is_needed_after_its_tip(rig):
    rig.accept(make_window(rig).claim)
    device = rig.devices[0].public
    tip = rig.tips[device]
    assert Facts(rig.facts).floor(device) == ChainFloor(done_with(tip), tip.digest, 0)


def test_of_a_new_device_what_was_long_before_the_window_is_not_needed(rig):
    device = rig.devices[0].public
    assert Facts(rig.facts).floor(device) == ChainFloor(BEGINNING, None, START_MS - HOUR_MS)


def test_of_a_gauge_that_lines_share_the_one_that_is_furthest_behind_decides(rig):
    behind = rig.facts
    rig.accept(make_window(rig).claim)
    rig.line = replace(rig.line, name="other")
    ahead, device = rig.facts, rig.devices[0].public
    behind = replace_tips(behind, {})
    for lines in ((behind, ahead), (ahead, behind)):
        assert Facts(*lines).floor(device).done == BEGINNING


def replace_tips(facts, tips):
    return type(facts)(facts.line_id, facts.line, facts.devices, tips, facts.rules, facts.chain_id)


def test_of_a_meter_what_is_not_collected_yet_and_may_be_is_needed():
    stretches = (Stretch((1, 4), (1, 9)), Stretch((3, 7), None))
    meter = FarmMeter(
        METER.public, MMU, "p", "t", 0, [], [], frozenset(), tuple(reversed(stretches))
    )
    time_ms = START_MS + 100 * DAY_MS
    floor = Facts(meters=[meter], time_ms=time_ms).floor(METER.public)
    assert (floor.done, floor.digest) == ((1, 4), None)
    assert time_ms - 10 * DAY_MS < floor.since_ms < time_ms - DAY_MS


def test_of_a_device_that_nobody_knows_nothing_is_known(rig):
    assert Facts(rig.facts).floor(METER.public) is None


@pytest.fixture
def duty():
    keys = MintKeys(key("mmu"), key("ingest"))
    return SharedDuty(MintConfig(peers=[PEER.hex()]), keys, CHAIN, EvenClock())


def test_a_gateway_reads_what_peers_want_and_what_itself_is_lent(duty):
    own = key("ingest").public
    for topic in (
        want_topic("p", STRANGER),
        loan_topic("p", PEER),
        want_topic("p", own),
    ):
        assert duty.hear(topic, b"others"), "no reading, and nothing for it"
    assert duty.hear(want_topic("p", PEER), b"want")
    assert duty.hear(loan_topic("p", own), b"loan")
    assert duty.hear(loan_topic("p", own), bytes(LOAN_BYTES_MAX + 1))
    assert list(duty.take_letters()) == [PeerLetter(PEER, b"want"), PeerLetter(None, b"loan")]
    assert list(duty.take_letters()) == []
    assert {loan_topic("+", own)} < set(duty.filters)


def test_letters_that_nobody_has_read_yet_are_bounded(duty):
    for number in range(LETTERS_MAX + 5):
        duty.hear(want_topic("p", PEER), bytes([number % 256]))
    letters = duty.take_letters()
    assert len(letters) == LETTERS_MAX
    assert letters[-1].raw == bytes([(LETTERS_MAX + 4) % 256])


def test_how_far_others_stored_is_told_by_device(duty):
    device = key("device").public
    for boot, seq in ((1, 7), (2, 3)):
        said = sign_copy(CHAIN, key("peer"), device, SettledEnvelope(boot, seq, Hash(bytes(32))))
        duty.hear(copy_topic("p", PEER, device), encode(said))
    assert duty.ends_elsewhere() == {device: {PEER: (2, 3)}}
