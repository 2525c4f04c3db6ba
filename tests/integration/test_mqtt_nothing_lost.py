"""Device, broker and ingest as real parts: whatever dies, every reading is stored once."""

import sqlite3
from contextlib import ExitStack, closing, contextmanager

import pytest

from iot_minting.device.journal import JOURNAL_MAX
from iot_minting.errors import JournalFull
from iot_minting.even_clock import wall_ms
from iot_minting.gateway.archive import Archive
from ledger.primitives.codec import encode
from ledger.types.reading import (
    FIRST_OF_CHAIN,
    READING_VERSION,
    Reading,
    Stream,
    Unit,
    sign_reading,
)
from tests.support.ledger.dairy import key
from tests.support.minting.mqtt_wire import capture, publish
from tests.support.minting.parts import (
    CHAIN,
    PLANT,
    IngestProcess,
    registered,
    running_broker,
    running_device,
    until,
)

SIGKILLED = -9


@pytest.fixture
def broker():
    with running_broker() as broker:
        yield broker


@contextmanager
def running_ingest(*arguments, **changes):
    ingest = IngestProcess(*arguments, **changes)
    try:
        yield ingest
    finally:
        ingest.end()


@contextmanager
def reading(path):
    archive = Archive(path)
    try:
        yield archive
    finally:
        archive.close()


def select(path, query):
    """Read the file as it lies there, past the archive."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def stored(path):
    """List (boot, seq) of every stored envelope, in order of storing."""
    return select(path, "SELECT boot, seq FROM readings ORDER BY rowid")


def refused(path):
    with reading(path) as archive:
        return archive.refused_counts()


def measure(device, count):
    for _ in range(count):
        device.record([(wall_ms(), device.value + 1)])


def test_every_reading_is_stored_once_receipted_and_pruned(broker, tmp_path):
    path = tmp_path / "mint.sqlite"
    with (
        running_ingest(broker.port, path, [registered("m")]),
        running_device(broker.port, "m", tmp_path) as device,
    ):
        measure(device, 300)
        assert device.wait_receipted(20)
        assert device.held == 0
    assert stored(path) == [(0, seq) for seq in range(300)]
    assert refused(path) == {}


def test_an_ingest_killed_between_store_and_ack_loses_nothing_and_doubles_nothing(broker, tmp_path):
    path = tmp_path / "mint.sqlite"
    known = [registered("m")]
    with running_device(broker.port, "m", tmp_path) as device:
        for _ in range(2):
            with running_ingest(broker.port, path, known, die_after=2) as doomed:
                until(lambda: _measured_to_death(device, doomed), what="the kill")
                assert doomed.wait_dead() == SIGKILLED
        assert broker.alive
        with running_ingest(broker.port, path, known):
            measure(device, 20)
            assert device.wait_receipted(40)
        total = device.value  # It counts by one, as its numbers do.
    assert stored(path) == [(0, seq) for seq in range(total)]
    assert set(refused(path)) <= {"missing_predecessor"}


def _measured_to_death(device, doomed):
    measure(device, 5)
    return doomed.process.poll() is not None


def test_readings_taken_while_the_broker_is_dead_arrive_when_it_is_back(broker, tmp_path):
    path = tmp_path / "mint.sqlite"
    with (
        running_ingest(broker.port, path, [registered("m")]),
        running_device(broker.port, "m", tmp_path) as device,
    ):
        measure(device, 30)
        assert device.wait_receipted(20)
        broker.kill()
        measure(device, 30)
        assert device.held == 30
        broker.start()
        assert device.wait_receipted(30)
    assert stored(path) == [(0, seq) for seq in range(60)]


def test_a_device_that_restarts_sends_its_journal_first_and_counts_its_boot(broker, tmp_path):
    path = tmp_path / "mint.sqlite"
    with running_device(broker.port, "m", tmp_path) as device:
        measure(device, 5)
    with (
        running_device(broker.port, "m", tmp_path) as again,
        running_ingest(broker.port, path, [registered("m")]),
    ):
        assert (again.boot, again.value, again.held) == (1, 5, 5)
        measure(again, 5)
        assert again.wait_receipted(30)
    assert stored(path) == [(boot, seq) for boot in (0, 1) for seq in range(5)]


def test_bad_readings_get_their_reasons_and_disturb_nobody(broker, tmp_path):
    path = tmp_path / "mint.sqlite"
    known = [registered("m"), registered("late")]
    with ExitStack() as stack:
        stack.enter_context(running_ingest(broker.port, path, known))
        device = stack.enter_context(running_device(broker.port, "m", tmp_path))
        measure(device, 3)
        assert device.wait_receipted(20)
        _send_bad(broker.port)
        topic = f"bc/v1/{PLANT}/l/{device.key.public.hex()}/r"
        ((first,),) = select(path, "SELECT raw FROM readings WHERE seq = 0")
        publish(broker.port, topic, first)
        wanted = {
            "malformed",
            "unknown_device",
            "wrong_signature",
            "broken_chain",
            "replayed_sequence",
        }
        until(lambda: set(refused(path)) == wanted, what=str(wanted))
        measure(device, 3)
        assert device.wait_receipted(20)
    assert sorted(stored(path)) == [(0, 0), *((0, seq) for seq in range(6))]


def _send_bad(port):
    known, stranger = key("late"), key("stranger")
    now = (wall_ms(), 1)
    for device, raw in (
        (stranger, signed(stranger, now)),
        (known, b"rubbish"),
        (known, signed(known, now, signer=key("thief"))),
        (known, signed(known, now)),
        (known, signed(known, now, seq=1)),
    ):
        publish(port, f"bc/v1/{PLANT}/l/{device.public.hex()}/r", raw)


def signed(device, sample, *, seq=0, signer=None):
    """Sign an envelope that names none before it."""
    return encode(
        sign_reading(
            Reading(
                version=READING_VERSION,
                device=device.public,
                boot=0,
                seq=seq,
                t0_ms=sample[0],
                stream=Stream.VOLUME_TOTAL,
                unit=Unit.MILLILITRE,
                samples=((0, sample[1]),),
                calibration="cal",
                firmware="1",
                tamper=False,
                previous=FIRST_OF_CHAIN,
            ),
            CHAIN,
            signer or device,
        )
    )


def test_a_device_that_dies_leaves_its_last_will(broker, tmp_path):
    with running_device(broker.port, "m", tmp_path):
        _, state = capture(broker.port, f"bc/v1/{PLANT}/l/+/state", 10)
        assert b'"on"' in state
    _, state = capture(broker.port, f"bc/v1/{PLANT}/l/+/state", 10)
    assert b'"off"' in state


def test_a_full_journal_refuses_to_measure_and_forgets_nothing(tmp_path):
    with running_device(1, "m", tmp_path) as device:
        now_ms = wall_ms()
        device.record_many([[(now_ms + n, n)] for n in range(JOURNAL_MAX)])
        with pytest.raises(JournalFull, match="measure later"):
            device.record([(now_ms + JOURNAL_MAX, JOURNAL_MAX)])
        assert device.held == JOURNAL_MAX
        assert device.value == JOURNAL_MAX - 1
