"""Envelopes at the ingest: what links is stored, whatever it says; nothing else is."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iot_minting.gateway import quarantine
from iot_minting.gateway.linking import WAITING_MAX, WAITING_MS, LinkJudge
from iot_minting.gateway.registry import Registry
from iot_minting.wire.topics import readings_topic
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.state.lines import Tip
from tests.support.ledger.dairy import key
from tests.support.minting.sensor import CHAIN, DEVICE, NOW_MS, PLANT, Desk, Sensor, code


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path / "mint.sqlite")
    yield desk
    desk.archive.close()


def test_what_links_is_stored_whatever_it_says(desk):
    sensor = Sensor()
    assert desk.take(sensor.read()) == ["stored"]
    assert desk.take(sensor.read(tamper=True)) == ["stored"]
    assert desk.take(sensor.read(value=-5)) == ["stored"]
    assert desk.take(sensor.read(t0_ms=17)) == ["stored"], "the law judges time, not the ingest"
    assert desk.take(sensor.read(stream="anything")) == ["stored"]
    assert desk.stored() == sensor.made


def test_a_chain_goes_on_across_boots_and_a_restart_of_the_gateway(desk):
    sensor = Sensor()
    desk.take(sensor.read())
    sensor.reboot()
    assert desk.take(sensor.read()) == ["stored"]
    desk.restart()
    assert desk.take(sensor.read()) == ["stored"]
    assert (desk.judge.newest(DEVICE.public), desk.judge.settled(DEVICE.public, 2).seq) == (2, 1)
    assert desk.judge.settled(DEVICE.public, 2, 0).number == (2, 0)
    assert desk.judge.settled(DEVICE.public, 2, -1) is None
    assert desk.judge.settled(DEVICE.public, 1).number == (1, 0)
    assert desk.judge.settled(DEVICE.public, 0) is None


def test_any_order_of_arrival_stores_the_same_chain(tmp_path):
    sensor = Sensor()
    for number in range(5):
        if number == 3:
            sensor.reboot()
        sensor.read()
    desk = Desk(tmp_path / "mint.sqlite")
    for order in permutations(sensor.made):
        desk.archive.forget(DEVICE.public, (9, 9), 2**53)
        desk.restart()
        for envelope in (*order, *order[:2]):
            desk.take(envelope)
        assert desk.stored() == sensor.made, order
    desk.archive.close()


def test_a_missing_envelope_is_waited_for_and_then_its_followers_are_quarantined(desk):
    sensor = Sensor()
    first, second, third = sensor.read(), sensor.read(), sensor.read()
    assert desk.take(first) == ["stored"]
    assert desk.take(third) == []
    assert desk.judge.expire(NOW_MS + WAITING_MS - 1) == []
    assert [code(v) for v in desk.judge.expire(NOW_MS + WAITING_MS)] == ["missing_predecessor"]
    assert desk.take(second) == ["stored"]
    assert desk.take(third) == ["stored"], "it is sent again, and has its place"


def test_what_waits_is_bounded(desk):
    sensor = Sensor()
    sensor.read()
    waiting = [sensor.read() for _ in range(WAITING_MAX + 1)]
    assert [desk.take(each) for each in waiting[:-1]] == [[]] * WAITING_MAX
    assert desk.take(waiting[-1]) == ["missing_predecessor"]


def test_a_lost_journal_begins_a_new_chain_in_a_later_boot_alone(desk):
    sensor = Sensor()
    desk.take(sensor.read())
    desk.take(sensor.read())
    twin = Sensor(boot=1)
    twin.read()
    assert desk.take(twin.read(seq=2, previous=ZERO_HASH)) == ["broken_chain"]
    sensor.reboot(lost=True)
    assert desk.take(sensor.read()) == ["stored"]
    assert desk.take(sensor.read()) == ["stored"]


def test_a_link_must_bear_the_next_number(desk):
    sensor = Sensor()
    desk.take(sensor.read())
    assert desk.take(sensor.read(seq=2)) == ["broken_chain"]
    sensor = Sensor(seq=1, previous=desk.stored()[0].digest())
    assert desk.take(sensor.read(boot=2, seq=1)) == ["broken_chain"]
    assert desk.take(sensor.read(boot=1, seq=1, previous=Hash(b"\x01" * 32))) == ["broken_chain"]


def test_a_follower_under_a_wrong_number_never_gets_its_place(desk):
    sensor = Sensor()
    first = sensor.read()
    wrong = sensor.read(seq=7)
    assert desk.take(wrong) == []
    assert desk.take(first) == ["stored", "broken_chain"]


def test_a_number_bears_one_reading(desk):
    sensor, twin = Sensor(), Sensor()
    desk.take(sensor.read())
    assert desk.take(sensor.made[0]) == ["repeated"]
    assert desk.take(twin.read(value=99)) == ["replayed_sequence"]
    sensor.reboot()
    desk.take(sensor.read())
    twin.seq = 4
    assert desk.take(twin.read()) == ["overtaken_boot"]


def test_an_unfit_envelope_moves_nothing(desk):
    sensor = Sensor()
    assert desk.take(b"\x00") == ["malformed"]
    assert desk.take(sensor.read(version=1)) == ["malformed"]
    sensor = Sensor()
    assert desk.take(sensor.read(signer=key("thief"))) == ["wrong_signature"]
    sensor = Sensor()
    elsewhere = readings_topic("plant-u", "l", DEVICE.public)
    assert desk.take(sensor.read(), topic=elsewhere) == ["wrong_topic"]
    stranger = key("stranger")
    topic = readings_topic(PLANT, "l", stranger.public)
    sensor = Sensor()
    envelope = sensor.read(device=stranger.public, signer=stranger)
    assert desk.take(envelope, topic=topic) == ["unknown_device"]
    assert desk.judge.newest(DEVICE.public) is None
    assert desk.stored() == []


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(raw):
    judge = LinkJudge(CHAIN, Registry(), None)
    (verdict,) = judge.judge(readings_topic(PLANT, "l", DEVICE.public), raw, NOW_MS)
    assert (verdict.entry.code, verdict.entry.raw) == ("malformed", raw)


@pytest.mark.parametrize("topic", ["nonsense", "bc/v1/a/b/c/r"])
def test_a_topic_that_is_nobodys_is_refused(desk, topic):
    assert desk.take(Sensor().read(), topic=topic) == ["wrong_topic"]


def test_a_batch_that_fails_leaves_nothing_behind(desk):
    sensor = Sensor()
    raws = [encode(sensor.read()) for _ in range(3)]
    topic = readings_topic(PLANT, "l", DEVICE.public)
    verdicts = [each for raw in raws for each in desk.judge.judge(topic, raw, NOW_MS)]
    with pytest.raises(Exception, match="UNIQUE"):
        desk.archive.record([*verdicts, verdicts[0]])
    assert desk.stored() == []
    desk.archive.record(verdicts)
    assert desk.stored() == sensor.made


def test_the_same_refusal_is_kept_once_and_counted(desk):
    for _ in range(3):
        desk.take(b"rubbish")
    (entry,) = desk.archive.refused(10)
    assert (entry.code, entry.times) == ("malformed", 3)
    assert desk.archive.refused_counts() == {"malformed": 3}


def test_what_is_refused_is_bounded_and_the_oldest_goes_first(desk, monkeypatch):
    monkeypatch.setattr(quarantine, "QUARANTINE_MAX", 3)
    for number in range(5):
        desk.take(b"rubbish %d" % number)
    assert len(desk.archive.refused(10)) == 3


def test_a_store_that_came_from_a_backup_goes_on_from_the_chains_tip(desk):
    sensor = Sensor()
    desk.take(sensor.read())
    sensor.read()
    lost = sensor.read()
    envelope = sensor.read()
    assert desk.take(envelope) == []
    desk.judge.expire(NOW_MS + WAITING_MS)
    desk.tip = Tip(lost.digest(), 1, 2, NOW_MS, 0)
    assert desk.take(envelope) == ["stored"]
    desk.tip = Tip(desk.stored()[0].digest(), 1, 0, NOW_MS, 0)
    assert desk.take(sensor.read()) == ["stored"], "an old tip takes nothing back"


def test_what_is_forgotten_leaves_the_end_of_the_chain(desk):
    sensor = Sensor()
    for _ in range(4):
        desk.take(sensor.read())
    assert desk.archive.forget(DEVICE.public, (1, 3), NOW_MS + 2_000) == 2
    assert desk.stored() == sensor.made[2:]
    desk.restart()
    assert desk.take(sensor.read()) == ["stored"]
