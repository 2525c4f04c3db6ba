"""However readings are delivered, and whenever the gateway dies, the same milk is minted."""

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.params import MARGIN_MS
from ledger.types.evidence import Instrument
from tests.support.evidence.rig import START_MS, good_value
from tests.support.minting.model_plant import ModelPlant

SECONDS = 60
COUNTED = SECONDS * 1_000 - MARGIN_MS
COLLECTED = SECONDS * 1_000_000


def measure(plant: ModelPlant, restarts: list[int]) -> None:
    """Let every device measure a minute; some are restarted in between."""
    for number, device in enumerate(plant.devices):
        for begin in range(0, SECONDS, 6):
            if begin in restarts and (begin + number) % 2:
                device.restart()
            times = range(begin * 1_000, (begin + 6) * 1_000 + (begin + 6 == SECONDS), 1_000)
            meter = device.instrument is Instrument.MILK_METER
            device.sign([(at, at if meter else good_value(device.instrument, at)) for at in times])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_delivery_mints_the_same(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as home:
        plant = ModelPlant(
            Path(home) / "mint.sqlite",
            window_ms=data.draw(st.sampled_from([1_000, 7_000, 20_000])),
            collect_ms=data.draw(st.sampled_from([1_000, 9_000])),
        )
        with closing(plant):
            _deliver_anyhow(plant, data)
        assert plant.counted <= COUNTED
        assert plant.counted == _reference(plant)
        assert plant.collected == _collected(plant)


def _deliver_anyhow(plant: ModelPlant, data: st.DataObject) -> None:
    """Lose, repeat and reorder readings, kill the gateway and refuse its claims; then settle."""
    measure(plant, data.draw(st.lists(st.sampled_from(range(0, SECONDS, 6)), max_size=3)))
    sent = [envelope for device in plant.devices for envelope in device.envelopes]
    lost = data.draw(st.sets(st.integers(0, len(sent) - 1), max_size=8))
    order = data.draw(st.permutations(range(len(sent))))
    now_ms = START_MS + 100_000
    for place, number in enumerate(order):
        if number not in lost:
            plant.deliver(sent[number])
        match data.draw(st.integers(0, 40)):
            case 0:
                plant.restart()
            case 1 | 2:
                plant.deliver(sent[order[place // 2]])
            case 3 | 4:
                now_ms += 2_000
                refused = data.draw(st.booleans())
                plant.refuse = lambda action, refused=refused: refused
                plant.step(now_ms)
    plant.refuse = lambda action: False
    for envelope in sent:  # Devices send again, oldest first, what was not receipted.
        plant.deliver(envelope)
    plant.settle(now_ms)


def _reference(plant: ModelPlant) -> int:
    """What one window over all of the line's readings counts."""
    from ledger.evidence import claim_window, reach
    from tests.support.evidence.rig import LineRig

    fresh = LineRig()
    for device, copy in zip(plant.rig.devices, fresh.devices, strict=True):
        copy.envelopes = device.envelopes
    facts, bundle = fresh.facts, fresh.bundle()
    to_ms = reach(facts, bundle)
    return claim_window(facts, bundle, plant.cut.kind, to_ms).counted_steps


def _collected(plant: ModelPlant) -> int:
    """What the meter counted, but for the first sample of each boot, which repeats the last."""
    assert plant.collected <= COLLECTED
    return plant.meter.envelopes[-1].reading().samples[-1][1] * 1_000
