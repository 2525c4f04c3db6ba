"""What the gateway takes is bounded, and nothing is lost by it: who has no receipt sends again."""

import sqlite3
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from iot_minting.gateway import quarantine
from iot_minting.gateway.allowance import (
    REFUSALS_AT_ONCE_MAX,
    SAMPLES_A_SECOND,
    SAMPLES_AT_ONCE_MAX,
    Allowance,
    device_allowance,
)
from iot_minting.gateway.linking import WAITING_MS
from iot_minting.gateway.subscription import Message
from iot_minting.wire.topics import readings_topic
from ledger.primitives.codec import encode
from ledger.types.reading import ENVELOPE_BYTES_MAX
from tests.support.minting.parts import make_ingest, until
from tests.support.minting.sensor import DEVICE, NOW_MS, PLANT, Desk, Sensor

TOPIC = readings_topic(PLANT, "l", DEVICE.public)


@pytest.fixture
def desk(tmp_path):
    """A judge that lets a device bring two samples at once, then one a second."""
    desk = Desk(tmp_path / "mint.sqlite", allowance=lambda: Allowance(1, 2))
    yield desk
    desk.archive.close()


class Queue:
    """A subscription: gives what lies in it, notes what is acknowledged and published."""

    def __init__(self):
        self.waiting, self.acked, self.published = [], [], []

    def put(self, *raws):
        self.waiting += [Message(0, place, 1, TOPIC, raw, NOW_MS) for place, raw in enumerate(raws)]

    def take(self, count_max, _wait_s):
        batch, self.waiting = self.waiting[:count_max], self.waiting[count_max:]
        return batch

    def ack(self, message):
        self.acked.append(message)

    def publish(self, topic, payload):
        self.published.append((topic, payload))


def test_an_allowance_is_full_at_first_and_fills_with_time():
    allowance = Allowance(10, 100)
    assert allowance.take(100, NOW_MS)
    assert not allowance.take(1, NOW_MS)
    assert not allowance.take(1, NOW_MS - 60_000), "time that falls gives nothing"
    assert not allowance.take(6, NOW_MS + 500)
    assert allowance.take(5, NOW_MS + 500), "what was refused was not taken"
    assert not allowance.take(101, NOW_MS + 10**9)
    assert allowance.take(100, NOW_MS + 10**9)


def test_a_device_may_bring_two_thirds_of_a_day_at_once():
    allowance = device_allowance()
    assert allowance.take(SAMPLES_AT_ONCE_MAX, NOW_MS)
    assert not allowance.take(SAMPLES_A_SECOND + 1, NOW_MS + 1_000)
    assert allowance.take(SAMPLES_A_SECOND, NOW_MS + 1_000)


def test_what_comes_too_fast_is_put_off_and_stored_when_it_comes_again(desk):
    sensor = Sensor()
    envelopes = [sensor.read() for _ in range(5)]
    heard = [desk.take(each) for each in envelopes]
    assert heard == [["stored"], ["stored"], ["put off"], ["put off"], ["put off"]]
    assert desk.judge.expire(NOW_MS + WAITING_MS) == [], "what is put off waits nowhere"
    again = [desk.take(each, arrival_ms=NOW_MS + 2_000) for each in envelopes[2:]]
    assert again == [["stored"], ["stored"], ["put off"]]
    assert desk.take(envelopes[4], arrival_ms=NOW_MS + 3_000) == ["stored"]
    assert desk.stored() == sensor.made
    assert desk.archive.refused_counts() == {}


def test_what_waited_for_another_is_put_off_too(desk):
    sensor = Sensor()
    first, *others = [sensor.read() for _ in range(4)]
    assert [desk.take(each) for each in others] == [[], [], []]
    assert desk.take(first) == ["stored", "stored", "put off"]
    assert desk.judge.expire(NOW_MS + WAITING_MS) == []
    late = NOW_MS + 2_000
    assert [desk.take(each, arrival_ms=late) for each in others[1:]] == [["stored"], ["stored"]]
    assert desk.stored() == sensor.made


def test_an_envelope_counts_by_its_samples(desk):
    sensor = Sensor()
    assert desk.take(sensor.read(samples=((0, 1), (1, 2), (2, 3)))) == ["put off"]


def test_what_is_put_off_is_acknowledged_to_the_broker_and_has_no_receipt(desk):
    sensor, queue = Sensor(), Queue()
    queue.put(*(encode(sensor.read()) for _ in range(3)))
    ingest = make_ingest(desk.judge, desk.archive, queue)
    with capture_logs() as lines:
        ingest.process(queue.take(100, 0))
    assert len(queue.acked) == 3, "one device holds up no other"
    assert desk.judge.settled(DEVICE.public, 1).seq == 1
    assert [line["device"] for line in lines] == [DEVICE.public.hex()]


def test_a_full_store_takes_nothing_off_the_broker_until_it_has_room(desk):
    sensor, queue = Sensor(), Queue()
    queue.put(encode(sensor.read()))
    size = desk.archive.size_bytes()
    full = make_ingest(desk.judge, desk.archive, queue, store_bytes_max=size)
    with capture_logs() as lines:
        assert not full.has_room()
        assert not full.has_room()
    assert [line["log_level"] for line in lines] == ["error"], "it is said once"
    full.start()
    full.stop()
    assert queue.waiting
    assert not queue.acked
    desk.restart()
    roomy = make_ingest(desk.judge, desk.archive, queue, store_bytes_max=size + 10**6)
    roomy.start()
    until(lambda: queue.acked, what="the acknowledgement")
    roomy.stop()
    desk.restart()
    assert desk.stored() == sensor.made


def test_a_store_that_forgets_has_room_again(tmp_path):
    desk, sensor = Desk(tmp_path / "mint.sqlite"), Sensor()
    for _ in range(100):
        desk.take(sensor.read())
    ingest = make_ingest(
        desk.judge, desk.archive, Queue(), store_bytes_max=desk.archive.size_bytes()
    )
    assert not ingest.has_room()
    assert desk.archive.forget(DEVICE.public, (1, 99), NOW_MS + 10**9) == 99
    assert ingest.has_room()
    desk.archive.close()


def test_of_a_flood_of_rubbish_only_so_much_is_kept(desk):
    queue, count = Queue(), REFUSALS_AT_ONCE_MAX + 1_000
    queue.put(*(b"rubbish %d" % number for number in range(count)))
    make_ingest(desk.judge, desk.archive, queue).process(queue.take(count, 0))
    kept = desk.archive.refused_counts()["malformed"]
    assert REFUSALS_AT_ONCE_MAX <= kept < count
    assert len(queue.acked) == count


def test_what_is_kept_of_a_refused_envelope_is_bounded(desk):
    desk.take(bytes(60_000), topic="bc/" + "x" * 60_000)
    (line,) = desk.archive.refused(10)
    assert len(line.topic) == quarantine.TEXT_CHARS_MAX
    assert len(line.detail) <= quarantine.TEXT_CHARS_MAX
    with closing(sqlite3.connect(desk.path)) as db:
        assert db.execute("SELECT length(raw) FROM quarantine").fetchone() == (ENVELOPE_BYTES_MAX,)
