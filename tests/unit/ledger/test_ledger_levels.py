"""A tank's level follows what came in and what flowed out, over a day."""

import pytest
from msgspec.structs import replace

from ledger.errors.tank import LevelAgainstFlow, RiseUnexplained
from ledger.params import DAY_MS, HOUR_MS
from ledger.rules.levels import Level, Sharing, note_level
from ledger.rules.measure import LEVEL_MAX
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

    def change(self, **fields):
        MILK_TANKS.put(self.state, replace(self.tank, **fields), self.name)

    def collect(self, litres):
        held = self.tank or MilkTank(self.town.mmu, PLANT, "raw", 1)
        held = replace(
            held,
            collected_units=held.collected_units + bill(litres),
            gauge_credit_units=held.gauge_credit_units + bill(litres),
        )
        farm, meter = self.town.address("farm-0"), key("meter-0").public
        put(self.state, self.name, held, [Portion(farm, meter, NOW_MS, NOW_MS, bill(litres))])

    def note(self, litres, out=0, *, day=0, hours=0, device=None, unit=Unit.MILLILITRE, **how):
        value = round(litres * 1_000) if unit is Unit.MILLILITRE else litres
        at_ms = MORNING_MS + day * DAY_MS + round(hours * HOUR_MS)
        level = Level(device or self.device, unit, value, at_ms)
        note_level(self.state, self.name, level, bill(out), **how)

    def late(self, litres, out=0, **how):
        """Note a level when no collection explains a rise of the morning any more."""
        self.note(litres, out, hours=43, **how)


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


def test_a_rise_that_nobody_collected_in_time_is_refused(gauge):
    gauge.note(1_001)
    gauge.note(1_001, hours=42)
    with pytest.raises(RiseUnexplained):
        gauge.late(1_001)
    gauge.collect(1)
    gauge.late(1_001)
    assert gauge.tank.gauge_owed == ()


def test_each_rise_has_its_time_and_the_oldest_is_explained_first(gauge):
    gauge.note(1_100)
    gauge.note(1_200, hours=20)
    gauge.collect(100)
    gauge.late(1_200)
    # The day forgave two of the gauge's steps.
    assert [units for _, units in gauge.tank.gauge_owed] == [bill(100) - 2_000]
    with pytest.raises(RiseUnexplained):
        gauge.note(1_200, hours=63)


def test_who_is_always_late_but_in_time_is_never_refused(gauge):
    for hour in range(0, 400, 5):
        gauge.note(1_000 + hour * 10, hours=hour)
        if hour >= 30:
            gauge.collect(50)
    assert gauge.tank.gauge_drift_units > bill(200)
    assert len(gauge.tank.gauge_owed) <= 8


def test_the_oldest_rises_are_kept_together(gauge):
    for hour in range(0, 120, 6):
        gauge.note(1_000 + hour * 10, hours=hour, counts=False)
    assert len(gauge.tank.gauge_owed) == 8
    assert sum(units for _, units in gauge.tank.gauge_owed) == gauge.tank.gauge_drift_units


def test_milk_may_be_poured_later_than_it_was_collected(gauge):
    gauge.collect(500)
    gauge.note(1_000)
    gauge.note(1_200)
    gauge.note(1_400, out=100)
    assert gauge.tank.gauge_in_units == bill(500)
    assert gauge.tank.gauge_drift_units == 0
    gauge.note(1_420)
    with pytest.raises(RiseUnexplained):
        gauge.late(1_420)


def test_flow_that_did_not_fall_is_refused_when_nobody_collected_as_much(gauge):
    gauge.note(1_000, out=100)
    with pytest.raises(RiseUnexplained):
        gauge.late(1_000)
    gauge.collect(99)
    gauge.late(1_000)


def test_a_fall_that_did_not_flow_is_refused_until_it_is_written_off(gauge):
    with pytest.raises(LevelAgainstFlow):
        gauge.note(800, out=100)
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(100), NOW_MS)
    gauge.note(800, out=100)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(700)


def test_a_rise_is_made_good_by_writing_milk_off(gauge):
    gauge.note(1_100)
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(150), NOW_MS)
    assert (gauge.tank.gauge_drift_units, gauge.tank.gauge_due_units) == (0, bill(50))
    gauge.late(1_100)


def test_what_counts_nothing_is_noted_and_forgets_nothing(gauge):
    gauge.note(700, counts=False)
    assert gauge.tank.gauge_drift_units == -bill(300)
    gauge.note(700, day=1, counts=False)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(700, day=2)
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(300), NOW_MS)
    gauge.note(700, day=2)


def test_who_writes_all_milk_off_is_free_again(gauge):
    gauge.note(5_000, counts=False)
    gauge.late(5_000, counts=False)
    assert gauge.tank.gauge_drift_units == gauge.tank.held_units + 2_000
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(1_000), NOW_MS)
    gauge.late(5_000)
    gauge.note(0, hours=44, counts=False)
    gauge.note(0, hours=44)


@pytest.mark.parametrize("sign", [1, -1])
def test_flow_and_fall_agree_over_the_day_within_a_part_and_a_step_each(gauge, sign):
    """One percent of 500 L, and two millilitres."""
    gauge.note(500 + 5 * sign, out=500)
    gauge.note(500 + 5.002 * sign)
    beyond = 500 + 5.003 * sign
    if sign < 0:
        with pytest.raises(LevelAgainstFlow):
            gauge.note(beyond)
        return
    gauge.note(beyond)
    gauge.note(beyond, hours=23)
    gauge.change(gauge_owed=((0, gauge.tank.gauge_drift_units),))
    with pytest.raises(RiseUnexplained):
        gauge.note(beyond, hours=23)


def test_a_coarse_gauge_may_be_a_step_of_its_own_off(gauge):
    """A step of 0.01 lb is 4.404 mL."""
    coarse = {"unit": Unit.CENTIPOUND, "device": key("spare").public}
    gauge.note(227_077, **coarse)
    gauge.note(227_075, **coarse)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(227_074, **coarse)


def test_drift_adds_up_within_the_day_and_is_forgiven_with_it(gauge):
    gauge.note(504, out=500)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(484, out=10)
    gauge.note(484, out=20)
    gauge.note(384.9, out=100, day=1)
    assert gauge.tank.gauge_drift_units == 0
    assert gauge.tank.gauge_credit_units == 1_202_000 - 900_000
    gauge.note(384.9, day=0)
    assert gauge.tank.gauge_day == MORNING_MS // DAY_MS + 1


def test_what_a_day_did_not_need_of_its_agreement_may_explain_the_next(gauge):
    gauge.note(503, out=500)
    gauge.note(503, day=1)
    spare = bill(5) + 2_000
    assert gauge.tank.gauge_credit_units == spare - bill(3)
    assert gauge.tank.gauge_due_units == spare
    assert gauge.tank.gauge_before_units == bill(520 - 20)
    for day in range(2, 300):
        gauge.note(503, day=day)
    assert max(gauge.tank.gauge_credit_units, gauge.tank.gauge_due_units) < bill(21)


def test_lines_that_share_a_tank_run_on_while_they_are_far_apart(gauge):
    apart = Sharing(shared=True, ahead_units=bill(100))
    gauge.note(500, out=500)
    gauge.note(600, out=0, day=1, sharing=apart)
    assert gauge.tank.gauge_day == MORNING_MS // DAY_MS
    gauge.note(500, out=0, day=1, sharing=Sharing(shared=True))
    assert gauge.tank.gauge_day == MORNING_MS // DAY_MS + 1
    assert gauge.tank.gauge_slack_units == bill(5)
    gauge.change(gauge_due_units=0)
    gauge.note(490, day=1)
    with pytest.raises(LevelAgainstFlow):
        gauge.note(489.9, day=1)


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


@pytest.mark.parametrize("heard", [True, False])
def test_flow_of_a_meter_that_counts_more_than_any_tank_holds_can_be_told(gauge, heard):
    """Whether a gauge is heard or not; what it shows meanwhile counts nothing."""
    level = Level(gauge.device, Unit.MILLILITRE, 1_000_000, MORNING_MS) if heard else None
    for _ in range(1_030):
        note_level(gauge.state, gauge.name, level, LEVEL_MAX, counts=False)
    told = gauge.tank.gauge_out_units, gauge.tank.gauge_pending_units, gauge.tank.gauge_drift_units
    assert max(told) == LEVEL_MAX


def test_another_gauge_begins_at_its_own_level(gauge):
    gauge.note(700, device=key("spare").public)
    gauge.note(600, out=100, device=key("spare").public)
    assert gauge.tank.gauge_drift_units == 0
    with pytest.raises(LevelAgainstFlow):
        gauge.note(500, device=key("spare").public)


def test_what_is_not_held_any_more_explains_no_rise(gauge):
    gauge.collect(500)
    write_off(gauge.state, gauge.town.mmu, gauge.name, bill(1_400), NOW_MS)
    gauge.note(1_000)
    assert gauge.tank.gauge_credit_units == bill(100)
    gauge.note(900, out=100)
    assert gauge.tank.gauge_credit_units == bill(100)


def test_a_level_below_nothing_is_nothing(gauge):
    gauge.note(0, out=1_000)
    gauge.note(-5)
    assert gauge.tank.gauge_value_units == 0
