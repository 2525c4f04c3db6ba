"""The minter's core: it acts once a subject, pauses when refused, and says what it waits for."""

import pytest
from msgspec.structs import replace

from iot_minting.gateway import minting
from iot_minting.gateway.collecting import MeterCollection
from iot_minting.gateway.cutting import cut_window
from iot_minting.gateway.drawing import TankMilk
from iot_minting.gateway.minting import PAUSE_MAX_MS, PAUSE_MS, Claim, ReportTampering, Waits
from ledger.params import MARGIN_MS
from ledger.types.evidence import Instrument
from ledger.types.milk import tank_id
from tests.support.evidence.rig import MMU, START_MS, good_value
from tests.support.minting.model_plant import PLANT, ModelPlant

NOW_MS = START_MS + 1_000_000


@pytest.fixture
def plant(tmp_path):
    plant = ModelPlant(tmp_path / "mint.sqlite")
    yield plant
    plant.archive.close()


def run(plant, seconds=100, metered=0):
    """Let the line run, and the meter for as long, or for some seconds less."""
    plant.rig.run(seconds)
    plant.meter.measure([(at, at) for at in range(0, (metered or seconds) * 1_000 + 1, 1_000)])
    for device in plant.devices:
        for envelope in device.envelopes:
            plant.deliver(envelope)


def kinds(actions):
    return [type(each) for each in actions]


def test_a_meter_and_a_line_are_brought_onto_the_chain(plant):
    run(plant)
    assert kinds(plant.step(NOW_MS)) == [MeterCollection, Claim]
    assert (plant.collected, plant.counted) == (100_000_000, 100_000 - MARGIN_MS)
    assert kinds(plant.step(NOW_MS + 60_000)) == [Waits], "all of it is brought"


def test_milk_that_no_meter_can_bring_any_more_is_not_waited_for(plant):
    run(plant)
    short = plant.tank = [TankMilk(START_MS - 1_000, START_MS - 1, 10_000_000)]
    plant.refuse = lambda action: isinstance(action, MeterCollection)
    waits = plant.step(NOW_MS)[-1]
    assert waits.reason == "short_tank"
    assert plant.step(NOW_MS + 10_000)[-1].reason == "short_tank", "a meter has more to bring"
    plant.refuse = lambda action: False
    plant.step(NOW_MS + 20_000)
    plant.deliver(plant.meter.sign([(101_000, 100_000)]))
    (claim,) = [each for each in plant.step(NOW_MS + 30_000) if isinstance(each, Claim)]
    assert claim.cut.claim.units == short[0].units


def test_milk_of_a_meter_that_was_not_heard_so_far_is_waited_for(plant):
    run(plant, metered=50)
    plant.tank = [TankMilk(START_MS - 1_000, START_MS - 1, 10_000_000)]
    for now_ms in range(START_MS + 200_000, START_MS + 300_000, 10_000):
        assert plant.step(now_ms)[-1].reason == "short_tank"
    plant.deliver(plant.meter.sign([(100_000, 50_000)]))
    assert isinstance(plant.step(START_MS + 300_000)[-1], Claim)


def test_a_busy_subject_is_left_alone(plant):
    run(plant)
    (name,) = plant.facts(NOW_MS).lines
    busy = frozenset({name, plant.meter.public})
    actions = plant.core.step(
        NOW_MS, plant.facts(NOW_MS), plant.shelf.after, plant.archive.last_arrival_ms, busy
    )
    assert actions == []


def test_what_is_refused_is_built_anew_after_a_pause_that_doubles(plant):
    run(plant)
    plant.refuse = lambda action: True
    now_ms, pause_ms = NOW_MS, PAUSE_MS
    for _ in range(12):
        (claim,) = [each for each in plant.step(now_ms) if isinstance(each, Claim)]
        plant.core.refused(claim.line, now_ms)
        assert not [e for e in plant.step(now_ms + pause_ms - 1) if isinstance(e, Claim)]
        now_ms, pause_ms = now_ms + pause_ms, min(2 * pause_ms, PAUSE_MAX_MS)
    plant.refuse = lambda action: False
    plant.core.brought(claim.line)
    plant.settle(now_ms)
    assert plant.counted == 100_000 - MARGIN_MS


def test_tampering_is_reported_once_a_pause(plant):
    run(plant)
    hold = plant.rig.of(Instrument.HOLD_THERMOMETER)
    plant.deliver(hold.sign([(101_000, 75_000)], tamper=True))
    for device in plant.rig.devices:
        device.measure(
            [(at, good_value(device.instrument, at)) for at in range(102_000, 200_000, 1_000)]
        )
        for envelope in device.envelopes:
            plant.deliver(envelope)
    found = [each for each in plant.step(NOW_MS) if isinstance(each, ReportTampering)]
    assert [each.device for each in found] == [hold.public]
    plant.core.refused(hold.public, NOW_MS)
    assert not [e for e in plant.step(NOW_MS + 1_500) if isinstance(e, ReportTampering)]


def test_milk_that_is_short_is_waited_for_no_longer_than_a_silence(plant):
    plant.tank = []
    run(plant, metered=50)
    (waits,) = [each for each in plant.step(NOW_MS) if isinstance(each, Waits)]
    assert waits.reason == "short_tank"
    assert not [e for e in plant.step(NOW_MS + 590_000) if isinstance(e, Claim)]
    (claim,) = [e for e in plant.step(NOW_MS + 600_000) if isinstance(e, Claim)]
    assert claim.cut.claim.units == 0


def test_a_window_ahead_of_the_chain_waits(plant):
    run(plant, seconds=300)
    actions = plant.step(START_MS + 10_000)
    assert [e.reason for e in actions if isinstance(e, Waits)] == ["future"]


def test_milk_that_a_line_draws_often_is_brought_without_a_pause(plant):
    def pulses(kind, at_ms):
        if kind is not Instrument.FLOW_METER:
            return good_value(kind, at_ms)
        return at_ms // 10_000 * 5_000 + min(at_ms % 10_000, 5_000)

    plant.rig.line = replace(plant.rig.line, tank=tank_id(MMU, PLANT, "tank"))
    plant.rig.run(100, value=pulses)
    plant.meter.measure([(at, at) for at in range(0, 100_001, 1_000)])
    for device in plant.devices:
        for envelope in device.envelopes:
            plant.deliver(envelope)
    found = [
        each for _ in range(20) for each in plant.step(NOW_MS) if isinstance(each, MeterCollection)
    ]
    assert len(found) > 5
    assert plant.collected == 100_000_000


def test_after_an_outage_no_device_is_silent_because_another_came_back_first(plant):
    devices = [each.public for each in plant.rig.devices]
    arrivals = dict.fromkeys([*devices, plant.meter.public], NOW_MS)
    plant.rig.run(100)
    first, *others = plant.rig.devices
    for device in plant.rig.devices:
        plant.deliver(device.envelopes[0])
    for envelope in first.envelopes[1:]:
        plant.deliver(envelope)

    def silent(now_ms):
        actions = plant.core.step(
            now_ms, plant.facts(now_ms), plant.shelf.after, arrivals.__getitem__, frozenset()
        )
        claims = [each.cut.claim for each in actions if isinstance(each, Claim)]
        return {part.device for claim in claims for part in claim.devices if part.silent}

    silence_ms = plant.cut.silence_ms
    assert silent(NOW_MS) == set()
    back_ms = NOW_MS + 10 * silence_ms
    arrivals[first.public] = back_ms
    assert silent(back_ms + 1_000) == set(), "they have been away for no longer than the first"
    arrivals[first.public] = back_ms + silence_ms // 2
    assert silent(back_ms + silence_ms - 1) == set()
    assert silent(back_ms + silence_ms + 1_000) == {each.public for each in others}


def test_a_line_short_of_milk_is_judged_again_when_some_comes(plant, monkeypatch):
    plant.tank = []
    run(plant)
    judged = []
    monkeypatch.setattr(minting, "cut_window", lambda *args: judged.append(1) or cut_window(*args))
    for seconds in range(0, 100, 2):
        plant.step(NOW_MS + seconds * 1_000)
    assert len(judged) == 1
    plant.tank = [TankMilk(START_MS - 10, START_MS - 1, 10**12)]
    assert [each for each in plant.step(NOW_MS + 102_000) if isinstance(each, Claim)]


def test_a_place_that_never_spoke_yet_is_waited_for(plant):
    plant.rig.run(100)
    hold = plant.rig.of(Instrument.HOLD_THERMOMETER)
    for device in plant.devices:
        for envelope in device.envelopes if device is not hold else ():
            plant.deliver(envelope)
    now_ms = START_MS + 101_000
    waits = [each for each in plant.step(now_ms) if isinstance(each, Waits)]
    assert ("unheard", "no hold_thermometer was heard yet") in [(w.reason, w.detail) for w in waits]
    for envelope in hold.envelopes:
        plant.deliver(envelope)
    plant.settle(now_ms)
    assert plant.counted == 100_000 - MARGIN_MS
