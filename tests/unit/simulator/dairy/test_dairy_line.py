"""A line's instruments never fall silent while the plant is on, and see all that flows."""

from itertools import pairwise
from random import Random

import pytest

from iot_minting.device.live import LiveDevice
from iot_minting.device.signer import DeviceSettings
from iot_minting.even_clock import EvenClock
from ledger.params import WATCH_GAP_MS
from ledger.types.evidence import Instrument
from ledger.types.reading import Stream, Unit, decode_envelope
from simulator.dairy.fleet import MEASURES
from simulator.dairy.herd import METER_IDLE_S, say_idle
from simulator.dairy.line import IDLE_S, LiveLine
from simulator.dairy.setup import LINE_INSTRUMENTS
from tests.support.ledger.dairy import key
from tests.support.minting.parts import CHAIN, INGEST, PLANT

START_MS = 1_700_000_000_000


class Plant:
    """A line on devices without a broker, whose clock goes on when somebody waits."""

    def __init__(self, folder):
        self.now_ms = START_MS
        self.devices = {
            kind: make_device(folder, kind.value, *MEASURES[kind]) for kind in LINE_INSTRUMENTS
        }
        self.line = LiveLine(self.devices, Random(1), EvenClock(lambda: self.now_ms))

    def pause(self, seconds):
        self.now_ms += int(seconds * 1_000)
        return True

    def idle(self, seconds):
        for _ in range(round(seconds / IDLE_S)):
            self.line.idle()
            self.pause(IDLE_S)

    def samples(self, kind):
        """List all samples of an instrument's chain, carried ones once."""
        listed = []
        for raw in self.devices[kind]._chain.waiting():  # noqa: SLF001  # No broker takes them.
            reading = decode_envelope(raw).reading()
            times = [(reading.t0_ms + offset_ms, value) for offset_ms, value in reading.samples]
            assert not listed or times[0] == listed[-1]
            listed += times[1:] if listed else times
        return listed


def make_device(folder, name, stream=Stream.VOLUME_TOTAL, unit=Unit.MILLILITRE):
    settings = DeviceSettings(
        name, PLANT, "l", stream, unit, CHAIN, (INGEST.public,), "127.0.0.1", 1
    )
    return LiveDevice(settings, key(name), folder / f"{name}.sqlite")


@pytest.fixture
def plant(tmp_path):
    plant = Plant(tmp_path)
    yield plant
    for device in plant.devices.values():
        device.stop()


def test_no_instrument_is_silent_for_longer_than_the_law_hears(plant):
    plant.idle(13)
    for units in (5_000_000, 7_000_000):
        assert plant.line.pasteurize(units, plant.now_ms, 2_400, plant.pause)
        plant.idle(13)
    for kind in LINE_INSTRUMENTS:
        times = [at_ms for at_ms, _ in plant.samples(kind)]
        assert max(b - a for a, b in pairwise(times)) <= WATCH_GAP_MS, kind
        assert times[-1] - times[0] > 30_000


def test_milk_flows_only_while_the_valve_is_seen_forward_on_both_sides(plant):
    plant.idle(3)
    assert plant.line.pasteurize(5_000_000, plant.now_ms, 2_400, plant.pause)
    plant.idle(6)
    valve, flow = plant.samples(Instrument.DIVERSION_VALVE), plant.samples(Instrument.FLOW_METER)
    assert flow[-1][1] - flow[0][1] == 5_000_000
    rising = [(a, b) for (a, low), (b, high) in pairwise(flow) if high > low]
    for begin_ms, end_ms in rising:
        before = [value for at_ms, value in valve if at_ms <= begin_ms]
        within = [value for at_ms, value in valve if begin_ms <= at_ms <= end_ms]
        after = [value for at_ms, value in valve if at_ms >= end_ms]
        assert (before[-1], set(within), after[0]) == (1, {1}, 1)
    assert valve[-1][1] == 0


def test_milk_flows_after_what_it_is_made_of(plant):
    assert plant.line.pasteurize(5_000_000, START_MS + 700, 1_000, plant.pause)
    flow = plant.samples(Instrument.FLOW_METER)
    first_rise_ms = next(a for (a, low), (_, high) in pairwise(flow) if high > low)
    assert first_rise_ms > START_MS + 700


def test_a_meter_repeats_its_total_when_it_has_been_silent(tmp_path):
    meter = make_device(tmp_path, "meter")
    meter.record([(START_MS, 7)])
    say_idle(meter, START_MS + int(METER_IDLE_S * 1_000) - 1)
    assert meter.held == 1
    say_idle(meter, START_MS + int(METER_IDLE_S * 1_000))
    assert (meter.held, meter.value) == (2, 7)
    meter.stop()
