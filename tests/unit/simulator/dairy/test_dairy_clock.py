"""A dairy whose machine's clock is set: the line goes on, and dates never run backwards."""

import threading

import pytest

from iot_minting.even_clock import EvenClock, wall_ms
from ledger.types.evidence import Instrument
from simulator.dairy.fleet import run_devices
from simulator.dairy.live import LiveDairy
from simulator.dairy.setup import LINE, DairyConfig, identify
from tests.support.ledger.dairy import FOREVER, key
from tests.support.minting.parts import until

HOUR_MS = 3_600_000
SEED = b"\x24" * 32
FLOW = f"{LINE}-{Instrument.FLOW_METER.value}"


@pytest.mark.parametrize("step_ms", [HOUR_MS, -HOUR_MS])
def test_the_line_goes_on_within_seconds_after_the_clock_is_set(tmp_path, step_ms):
    identity = identify(SEED, FOREVER)
    config = DairyConfig(broker_port=9, ingest_key=key("ingest").public.hex())
    set_by_ms = 0
    clock = EvenClock(lambda: wall_ms() + set_by_ms)
    with run_devices(
        tmp_path, config, key("chain").public, SEED, list(identity.devices)
    ) as devices:
        flow = devices[FLOW]
        dairy = LiveDairy(identity, devices, SEED, 1.0, clock)
        thread = threading.Thread(target=dairy.run)
        thread.start()
        try:
            until(lambda: flow.value, "the first milk through the line")
            set_by_ms, value, last_ms = step_ms, flow.value, flow.last_ms
            until(lambda: flow.value > value + 2_000_000, "milk after the clock was set")
            assert flow.last_ms > last_ms
        finally:
            dairy.stop()
            thread.join()
    last_ms = flow.last_ms
    with run_devices(
        tmp_path, config, key("chain").public, SEED, list(identity.devices)
    ) as devices:
        assert devices[FLOW].last_ms == last_ms
        again = EvenClock(lambda: wall_ms() - HOUR_MS)
        LiveDairy(identity, devices, SEED, 1.0, again)
        assert again.now_ms() >= last_ms, "a restart dates nothing before what was signed"
