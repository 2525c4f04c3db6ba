"""What a dairy tells at once on its very first start: as if it had been on all the time."""

from itertools import pairwise

import pytest

from iot_minting.device.journal import DeviceJournal
from ledger.params import MARGIN_MS, WATCH_GAP_MS
from ledger.primitives.codec import decode
from ledger.types.evidence import Instrument
from ledger.types.reading import ENVELOPE_BYTES_MAX, Envelope
from simulator.dairy.fleet import run_devices
from simulator.dairy.live import tell_past
from simulator.dairy.setup import LINE, LINE_INSTRUMENTS, DairyConfig, identify
from tests.support.ledger.dairy import FOREVER, key

SEED = b"\x29" * 32
CHAIN = key("chain").public
NOW_MS = 1_700_000_000_000
IDENTITY = identify(SEED, FOREVER)
FLOW = f"{LINE}-{Instrument.FLOW_METER}"


def tell(home, now_ms, past_ms):
    """Start the dairy at a time; give where each device's total stands."""
    config = DairyConfig(broker_port=9, ingest_key=CHAIN.hex(), past_ms=past_ms)
    with run_devices(home, config, CHAIN, SEED, list(IDENTITY.devices)) as devices:
        tell_past(IDENTITY, devices, SEED, config, now_ms)
        return {name: (device.value, device.last_ms) for name, device in devices.items()}


def samples(home, name):
    """List times and values of all that a device signed."""
    (path,) = home.rglob(f"{name}.sqlite")
    journal = DeviceJournal(path)
    readings = [decode(raw, Envelope, ENVELOPE_BYTES_MAX).reading() for raw in journal.waiting()]
    journal.close()
    return [
        (reading.t0_ms + offset, value) for reading in readings for offset, value in reading.samples
    ]


@pytest.mark.parametrize("past_ms", [MARGIN_MS, 60_000])
def test_milk_flows_all_the_time_and_every_instrument_is_heard(tmp_path, past_ms):
    told = tell(tmp_path, NOW_MS, past_ms)
    for kind in LINE_INSTRUMENTS:
        times = [at for at, _ in samples(tmp_path, f"{LINE}-{kind}")]
        assert NOW_MS - past_ms <= times[0] <= NOW_MS - past_ms + WATCH_GAP_MS
        assert NOW_MS - 7_000 <= times[-1] <= NOW_MS
        gaps = [after - before for before, after in pairwise(times)]
        assert max(gaps) <= WATCH_GAP_MS
    metered = sum(told[f"meter-{farm.name}"][0] for farm in IDENTITY.farms) * 1_000
    assert told[FLOW][0] == metered > 0
    flow = samples(tmp_path, FLOW)
    assert next(at for at, value in flow if value) <= NOW_MS - past_ms + 5_000


def test_a_dairy_that_spoke_before_tells_of_no_past(tmp_path):
    first = tell(tmp_path, NOW_MS, MARGIN_MS)
    assert tell(tmp_path, NOW_MS + 3_600_000, MARGIN_MS) == first


def test_a_dairy_without_a_past_begins_silent(tmp_path):
    assert set(tell(tmp_path, NOW_MS, 0).values()) == {(0, 0)}
