"""A device that came back from a backup, or whose twin ran, gets above what was used."""

import shutil
from contextlib import ExitStack, contextmanager

import pytest

from iot_minting.even_clock import wall_ms
from iot_minting.gateway.archive import Archive
from tests.support.ledger.dairy import key
from tests.support.minting.parts import (
    IngestProcess,
    registered,
    running_broker,
    running_device,
)


@contextmanager
def running_ingest(port, path):
    ingest = IngestProcess(port, path, [registered("m")])
    try:
        yield
    finally:
        ingest.end()


def measured(port, path, count):
    """Run the device of a home until all that it measured is receipted; give its boot."""
    with running_device(port, "m", path) as device:
        for _ in range(count):
            device.record([(wall_ms(), device.value + 1)])
        assert device.wait_receipted(30)
        return device.boot


def kept(path):
    """List what is stored of the device, in the chain's order."""
    archive = Archive(path)
    try:
        return [each.reading() for each, _ in archive.after(key("m").public, (-1, -1), 100)]
    finally:
        archive.close()


@pytest.mark.parametrize("retained", [True, False], ids=["retained", "broker-forgot"])
def test_a_restored_device_signs_what_waits_above_the_boots_that_were_used(tmp_path, retained):
    home, backup, path = tmp_path / "home", tmp_path / "backup", tmp_path / "mint.sqlite"
    home.mkdir()
    with running_broker() as broker, running_ingest(broker.port, path):
        assert measured(broker.port, home, 2) == 0
        shutil.copytree(home, backup)
        assert [measured(broker.port, home, 5) for _ in range(2)] == [1, 2]
        shutil.rmtree(home)
        backup.rename(home)
        if not retained:
            broker.kill()
            broker.start()
        # It counts boot 1 up, which was used, as were its numbers there.
        assert measured(broker.port, home, 4) == 3
        assert measured(broker.port, home, 1) == 4
    archive = Archive(path)
    ends = [archive.last_seq(key("m").public, boot) for boot in range(5)]
    refused = archive.refused_counts()
    archive.close()
    assert ends == [1, 4, 4, 3, 0]
    if retained:
        assert refused == {}, "nothing was sent before the retained receipt was heard"


@pytest.mark.parametrize("count", [3, 5, 7], ids=["fewer", "as-many", "more"])
def test_a_receipt_heard_before_anything_was_sent_covers_nothing_that_waits(tmp_path, count):
    """Its twin used numbers 0 to 4 of the same boot; it measured before it heard so."""
    home, twin, path = tmp_path / "home", tmp_path / "twin", tmp_path / "mint.sqlite"
    with running_broker() as broker, running_ingest(broker.port, path):
        assert measured(broker.port, twin, 5) == 0
        times = [wall_ms() + number for number in range(count)]
        readings = [[(at_ms, number)] for number, at_ms in enumerate(times)]
        with running_device(broker.port, "m", home, first=readings) as device:
            assert device.wait_receipted(30)
            assert device.boot == 1
    assert [each.last_ms for each in kept(path) if each.boot == 1] == times


def test_what_was_measured_while_the_broker_was_away_keeps_its_times(tmp_path):
    home, twin, path = tmp_path / "home", tmp_path / "twin", tmp_path / "mint.sqlite"
    with running_broker() as broker:
        with running_ingest(broker.port, path):
            assert measured(broker.port, twin, 5) == 0
        broker.kill()
        with running_device(broker.port, "m", home) as device:
            times = [wall_ms() + number for number in range(3)]
            for number, at_ms in enumerate(times):
                device.record([(at_ms, number)])
            broker.start()
            with running_ingest(broker.port, path):
                assert device.wait_receipted(40)
                assert device.boot == 1
    assert [each.last_ms for each in kept(path) if each.boot == 1] == times


@pytest.mark.parametrize("lives", [[4], [2, 5]], ids=["one-boot", "two-boots"])
def test_boots_that_were_overtaken_go_on_above_the_one_that_overtook_them(tmp_path, lives):
    """It measures while its broker is away; its twin uses boot 1 meanwhile, up to number 2."""
    home, twin, path, times = tmp_path / "home", tmp_path / "twin", tmp_path / "mint.sqlite", []
    with running_broker() as broker:
        with running_ingest(broker.port, path):
            with running_device(broker.port, "m", twin):
                pass
            assert measured(broker.port, twin, 3) == 1
        broker.kill()
        with ExitStack() as running:
            for boot, count in enumerate(lives):
                running.close()
                device = running.enter_context(running_device(broker.port, "m", home))
                assert device.boot == boot
                for _ in range(count):
                    times.append(wall_ms())
                    device.record([(times[-1], len(times))])
            broker.start()
            running.enter_context(running_ingest(broker.port, path))
            assert device.wait_receipted(40)
            assert device.boot == 2
    stored = kept(path)
    assert [each.boot for each in stored] == [1] * 3 + [2] * len(times), "in the chain's order"
    assert [each.last_ms for each in stored[3:]] == times
