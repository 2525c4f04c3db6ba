"""A tank's level follows what came in and what flowed out, over a day."""

import pytest
from msgspec.structs import replace

from ledger.errors.tank import LevelAgainstFlow, RiseUnexplained
from ledger.params import DAY_MS
from ledger.rules.levels import Level, note_level
from ledger.rules.portions import put, write_off
from ledger.state.tables import MILK_TANKS
from ledger.state.tanks import MilkTank, Portion
from ledger.types.reading import Unit
from tests.support.ledger.dairy import NOW_MS, PLANT, bill, key
from tests.support.ledger.metering import CollectingTown

MORNING_MS = NOW_MS // DAY_MS * DAY_MS


class Gauge:
    """A tank with a gauge, at 1,000 L, of which the chain knows."""

    def __init__(self, start=1_000):
        self.town = CollectingTown()
        self.state, self.name = self.town.state, self.town.tank
        self.device = key("tank_gauge").public
        self.collect(start)
        self.note(start)

    @property
    def tank(self):
        return MILK_TANKS.get(self.state, self.name)

    def collect(self, litres):
        held = self.tank or MilkTank(self.town.mmu, PLANT, "raw", 1)
        held = replace(
            held,
            collected_units=held.collected_units + bill(litres),
            gauge_credit_units=held.gauge_credit_units + bill(litres),
        )
        farm, meter = self.town.address("farm-0"), key("meter-0").public
        put(self.state, self.name, held, [Portion(farm, meter, NOW_MS, NOW_MS, bill(litres))])

    def note(self, litres, out=0, *, day=0, device=None, unit=Unit.MILLILITRE):
        value = round(litres * 1_000) if unit is Unit.MILLILITRE else litres
        level = Level(device or self.device, unit, value, MORNING_MS + day * DAY_MS)
        note_level(self.state, self.name, level, bill(out))


@pytest.fixture
def gauge():
    found = Gauge()
    # What it began with was seen.
    tank = replace(found.tank, gauge_credit_units=0)
    MILK_TANKS.put(found.state, tank, found.name)
    return found


def test_level_falls_as_milk_flows(gauge):
    gauge.note(900, out=100)
    gauge.note(0, out=900)
    assert gauge.tank.gauge_out_units == bill(1_000)
    assert gauge.tank.gauge_drift_units == 0


def test_a_rise_that_nobody_collected_is_refused(gauge):
    with pytest.raises(RiseUnexplained):
        gauge.note(1_001)
    gauge.collect(1)
    gauge.note(1_001)


def test_milk_may_be_poured_later_than_it_was_collected(gauge):
    gauge.collect(500)
    gauge.note(1_000)
    gauge.note(1_200)
    gauge.note(1_400, out=100)
    assert gauge.tank.gauge_in_units == bill(500)
    with pytest.raises(RiseUnexplained):
        gauge.note(1_410)


def test_flow_that_did_not_fall_is_refused(gauge):
    with pytest.raises(LevelAgainstFlow):
        gauge.note(1_000, out=100)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(980, out=100)


def test_a_fall_that_did_not_flow_is_refused_until_it_is_written_off(gauge):
    with pytest.raises(LevelAgainstFlow):
        gauge.note(800, out=100)
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(100), NOW_MS)
    gauge.note(800, out=100)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(700)


@pytest.mark.parametrize("sign", [1, -1])
def test_flow_and_fall_agree_over_the_day_within_a_part_and_a_step(gauge, sign):
    """One percent of 500 L, and a millilitre."""
    gauge.note(500 + 5 * sign, out=500)
    gauge.note(500 + 5.001 * sign)
    with pytest.raises(LevelAgainstFlow if sign < 0 else RiseUnexplained):
        gauge.note(500 + 5.002 * sign)


def test_a_coarse_gauge_may_be_one_of_its_steps_off(gauge):
    """A step of 0.01 lb is 4.404 mL."""
    coarse = {"unit": Unit.CENTIPOUND, "device": key("spare").public}
    gauge.note(227_077, **coarse)
    gauge.note(227_078, **coarse)
    with pytest.raises(RiseUnexplained):
        gauge.note(227_079, **coarse)


def test_drift_adds_up_within_the_day_and_begins_anew_with_the_next(gauge):
    gauge.note(504, out=500)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(484, out=30)
    gauge.note(484, out=20)
    gauge.note(384.9, out=100, day=1)
    assert gauge.tank.gauge_drift_units == bill(1) - 100_000
    gauge.note(384.9, day=0)
    assert gauge.tank.gauge_day == MORNING_MS // DAY_MS + 1


def test_noise_does_not_add_up(gauge):
    gauge.note(500, out=500)
    gauge.collect(400)
    for _ in range(50):
        gauge.note(497)
        gauge.note(500)
    assert gauge.tank.gauge_drift_units == 0


def test_a_fall_takes_back_a_rise_before_what_was_written_off(gauge):
    gauge.note(500, out=500)
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(100), NOW_MS)
    for _ in range(50):
        gauge.note(504)
        gauge.note(500)
    gauge.note(400)
    assert gauge.tank.gauge_drift_units == gauge.tank.gauge_due_units == 0


def test_flow_waits_for_a_line_that_is_behind(gauge):
    """Two lines draw 100 L each; the first to claim does not know of the other's."""
    note_level(gauge.state, gauge.name, None, bill(100))
    gauge.note(800, out=100)
    assert gauge.tank.gauge_drift_units == 0
    gauge.note(700, out=100)
    assert gauge.tank.gauge_drift_units == 0


def test_another_gauge_begins_the_account_anew(gauge):
    gauge.note(700, device=key("spare").public)
    gauge.note(600, out=100, device=key("spare").public)
    with pytest.raises(RiseUnexplained):
        gauge.note(700, device=key("spare").public)


def test_what_is_not_held_any_more_explains_no_rise(gauge):
    gauge.collect(500)
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(1_400), NOW_MS)
    gauge.note(1_000)
    with pytest.raises(RiseUnexplained):
        gauge.note(1_101.1)
    gauge.note(1_101)


def test_a_level_below_nothing_is_nothing(gauge):
    gauge.note(0, out=1_000)
    gauge.note(-5)
    assert gauge.tank.gauge_value_units == 0
