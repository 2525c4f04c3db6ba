"""Portions of a tank: oldest first, in time, none of a stopped meter, debts first."""

import pytest
from msgspec.structs import replace

from ledger.errors.milk import ForeignTank, ShortTank
from ledger.errors.tank import TooManyPortions
from ledger.params import HOUR_MS
from ledger.rules.measure import LEVEL_MAX
from ledger.rules.portions import (
    check_write_off,
    draw,
    draw_lost,
    find_milk_tank,
    lapse,
    put,
    tank_of,
)
from ledger.state.lines import FOR_EVER_MS
from ledger.state.names import epoch_name
from ledger.state.proven import ProvenSource
from ledger.state.tables import DEVICES, MILK_TANKS, TANK_HOURS
from ledger.state.tanks import HOURS_MAX, PORTIONS_MAX, MilkTank, Portion
from ledger.types.evidence import Instrument
from tests.support.ledger.dairy import NOW_MS, PLANT, key
from tests.support.ledger.metering import LITRE, MINUTE_MS, CollectingTown

START_MS = NOW_MS // HOUR_MS * HOUR_MS
ALL = (FOR_EVER_MS, 0)


class Raw:
    """A tank, and portions by the minute: `number` names the farm, `at` when it was metered."""

    def __init__(self):
        self.town = CollectingTown()
        self.state, self.name = self.town.state, self.town.tank

    @property
    def tank(self):
        return MILK_TANKS.get(self.state, self.name)

    def farm(self, number):
        return self.town.address(f"farm-{number}")

    @staticmethod
    def meter(number):
        return key(f"meter-{number}").public

    def portion(self, units, at, number=0, length=1):
        last_ms = START_MS + at * MINUTE_MS
        first_ms = last_ms - length * MINUTE_MS
        return Portion(self.farm(number), self.meter(number), first_ms, last_ms, units)

    def put(self, *portions):
        """Let portions in as collected milk."""
        fresh = MilkTank(self.town.mmu, PLANT, "raw", 1)
        tank = self.tank or fresh
        if not tank.name:
            tank = replace(tank, mmu=fresh.mmu, plant=fresh.plant, name=fresh.name)
        units = sum(each.units for each in portions)
        tank = replace(tank, collected_units=tank.collected_units + units)
        put(self.state, self.name, tank, portions)

    def draw(self, units, before_ms=FOR_EVER_MS, not_before_ms=0):
        taken = draw(self.state, self.name, units, before_ms, not_before_ms)
        return {
            farm: each.units for each in taken for farm in range(3) if each.farm == self.farm(farm)
        }

    def held(self):
        """What each portion holds, in order."""
        hours = self.tank.hours if self.tank else ()
        return [
            portion.units
            for hour in hours
            for portion in TANK_HOURS.get(self.state, self.name + epoch_name(hour)).portions
        ]

    def stop(self, number, since_ms):
        device = DEVICES.get(self.state, self.meter(number))
        DEVICES.put(self.state, replace(device, stopped_ms=since_ms), self.meter(number))

    def admit(self, number):
        """Register one more meter."""
        one = DEVICES.get(self.state, self.meter(0))
        assert one.instrument is Instrument.MILK_METER
        DEVICES.put(self.state, replace(one, operator=self.farm(number)), self.meter(number))


@pytest.fixture
def raw():
    return Raw()


def test_the_oldest_is_drawn_first_whatever_came_in_first(raw):
    raw.put(raw.portion(5, at=90, number=2))
    raw.put(raw.portion(7, at=10, number=0), raw.portion(6, at=50, number=1))
    assert raw.held() == [7, 6, 5]
    assert raw.draw(9) == {0: 7, 1: 2}
    assert raw.held() == [4, 5]
    assert raw.draw(9) == {1: 4, 2: 5}
    assert raw.tank.hours == ()
    assert raw.tank.drawn_units == 18


def test_a_draw_says_whose_milk_it_was_by_which_meter(raw):
    raw.put(raw.portion(7, at=10), raw.portion(6, at=50), raw.portion(1, at=51, number=1))
    mine = ProvenSource(raw.farm(0), raw.meter(0), 13)
    other = ProvenSource(raw.farm(1), raw.meter(1), 1)
    expected = sorted((mine, other), key=lambda each: each.farm)
    assert list(draw(raw.state, raw.name, 14, *ALL)) == expected


def test_no_milk_is_drawn_that_was_metered_after_the_flow_began(raw):
    portion = raw.portion(5, at=10)
    raw.put(portion, raw.portion(5, at=90))
    before_ms = portion.last_ms
    with pytest.raises(ShortTank) as short:
        raw.draw(1, before_ms - 1)
    assert short.value.numbers["held"] == 0
    with pytest.raises(ShortTank) as short:
        raw.draw(6, before_ms)
    assert short.value.numbers["held"] == 5


def test_no_milk_is_drawn_that_is_too_old_and_it_stays(raw):
    old, young = raw.portion(5, at=10), raw.portion(4, at=11)
    raw.put(old, young)
    not_before_ms = old.first_ms + 1
    assert raw.draw(4, not_before_ms=not_before_ms) == {0: 4}
    assert raw.held() == [5]
    with pytest.raises(ShortTank) as short:
        raw.draw(1, not_before_ms=not_before_ms)
    assert short.value.numbers["held"] == 0


def test_drawing_more_than_there_is_tells_how_much_there_is(raw):
    with pytest.raises(ShortTank) as short:
        raw.draw(1)
    assert short.value.numbers == {"tank": raw.name.hex(), "held": 0, "units": 1}


def test_portions_of_a_stopped_meter_are_void_when_met_and_the_rest_is_left(raw):
    raw.put(
        raw.portion(5, at=10, number=1),
        raw.portion(6, at=20, number=1),
        raw.portion(7, at=30, number=0),
    )
    raw.stop(1, START_MS + 20 * MINUTE_MS)
    assert raw.draw(12) == {1: 5, 0: 7}
    assert raw.tank.void_units == 6
    assert raw.tank.held_units == 0


def test_a_stopped_meters_milk_can_not_be_drawn(raw):
    raw.put(raw.portion(5, at=10, number=1))
    raw.stop(1, START_MS)
    with pytest.raises(ShortTank):
        raw.draw(1)


def test_what_a_draw_does_not_reach_is_not_void_yet(raw):
    raw.put(raw.portion(5, at=10, number=0), raw.portion(6, at=20, number=1))
    raw.stop(1, START_MS)
    raw.draw(5)
    assert raw.tank.void_units == 0
    raw.stop(1, FOR_EVER_MS)
    assert raw.draw(6) == {1: 6}


def test_what_is_void_or_lapsed_may_leave_the_tank(raw):
    """Its level may fall by as much without flow."""
    raw.put(raw.portion(5, at=10, number=1), raw.portion(6, at=20), raw.portion(7, at=30))
    raw.stop(1, START_MS)
    raw.draw(6)
    assert raw.tank.gauge_due_units == 5
    assert lapse(raw.state, raw.name, START_MS + 97 * HOUR_MS).gauge_due_units == 12


# Lost flow and debts.


def test_lost_flow_takes_the_oldest_and_owes_the_rest(raw):
    raw.put(raw.portion(5, at=10), raw.portion(9, at=90))
    before_ms = START_MS + 60 * MINUTE_MS
    draw_lost(raw.state, raw.name, 7, before_ms)
    assert raw.tank.lost_units == 5
    assert raw.tank.debts == ((before_ms, 2),)
    assert raw.held() == [9]


def test_late_milk_pays_a_debt_first_and_later_milk_does_not(raw):
    before_ms = START_MS + 60 * MINUTE_MS
    draw_lost(raw.state, raw.name, 7, before_ms)
    assert raw.tank.name == ""
    raw.put(raw.portion(3, at=61))
    assert raw.held() == [3]
    raw.put(raw.portion(4, at=60))
    assert (raw.held(), raw.tank.debts) == ([3], ((before_ms, 3),))
    raw.put(raw.portion(5, at=59, number=1))
    assert (raw.held(), raw.tank.debts) == ([2, 3], ())
    assert raw.tank.lost_units == 7
    assert raw.tank.collected_units == raw.tank.held_units + 7


def test_debts_of_several_times_are_owed_by_the_milk_of_their_time(raw):
    for minute, units in ((10, 2), (20, 3)):
        draw_lost(raw.state, raw.name, units, START_MS + minute * MINUTE_MS)
    draw_lost(raw.state, raw.name, 1, START_MS + 20 * MINUTE_MS)
    assert [units for _, units in raw.tank.debts] == [2, 4]
    raw.put(raw.portion(5, at=15))
    assert [units for _, units in raw.tank.debts] == [2]
    assert raw.held() == [1]
    raw.put(raw.portion(5, at=5))
    assert (raw.held(), raw.tank.debts) == ([3, 1], ())


def test_debts_that_no_milk_can_pay_any_more_are_forgotten_and_many_are_joined(raw):
    draw_lost(raw.state, raw.name, 100, START_MS)
    for minute in range(1, 10):
        draw_lost(raw.state, raw.name, minute, START_MS + minute * MINUTE_MS)
    assert [units for _, units in raw.tank.debts] == [103, 3, 4, 5, 6, 7, 8, 9]
    # Owed by the milk of them all.
    assert raw.tank.debts[0][0] == START_MS + 2 * MINUTE_MS
    draw_lost(raw.state, raw.name, 1, START_MS + 96 * HOUR_MS + (5 + 2) * MINUTE_MS)
    assert [units for _, units in raw.tank.debts] == [5, 6, 7, 8, 9, 1]


@pytest.mark.parametrize("every_ms", [0, 1])
def test_debts_of_a_meter_that_counts_more_than_any_tank_holds_can_be_told(raw, every_ms):
    for window in range(1_030):
        draw_lost(raw.state, raw.name, LEVEL_MAX, START_MS + window * every_ms)
    assert {units for _, units in raw.tank.debts} == {LEVEL_MAX}


def test_a_tank_answers_for_what_it_holds_and_to_its_own_mmu(raw):
    raw.put(raw.portion(5, at=10))
    with pytest.raises(ShortTank):
        find_milk_tank(raw.state, raw.name, 6)
    with pytest.raises(ForeignTank):
        check_write_off(raw.state, raw.farm(0), raw.name, 5)


# Age.


def test_milk_lapses_a_day_after_no_window_could_use_it(raw):
    raw.put(raw.portion(5, at=10), raw.portion(6, at=12))
    age_ms = (72 + 24) * HOUR_MS
    oldest_ms = START_MS + 9 * MINUTE_MS
    assert lapse(raw.state, raw.name, oldest_ms + age_ms).held_units == 11
    assert lapse(raw.state, raw.name, oldest_ms + age_ms + 1).held_units == 6
    assert raw.tank.lapsed_units == 5
    assert lapse(raw.state, raw.name, oldest_ms + 2 * age_ms).held_units == 0
    assert raw.tank.hours == ()


def test_a_tank_never_spans_more_hours_than_are_kept():
    """Even where milk may be used for a week, the longest that a law can say."""
    town = CollectingTown(collection_age_ms_max=7 * 24 * HOUR_MS)
    for hour in range(250):
        town.time_ms += HOUR_MS
        body = town.collection(seq=2 * hour, start=hour * LITRE, litres=1)
        assert town.do("mmu", body) == ""
    tank = MILK_TANKS.get(town.state, town.tank)
    assert 190 < len(tank.hours) <= HOURS_MAX
    town.close()


# Full hours.


def test_neighbours_of_a_meter_merge_when_an_hour_is_full(raw):
    for place in range(PORTIONS_MAX):
        last_ms = START_MS + place * 10_000
        raw.put(Portion(raw.farm(0), raw.meter(0), last_ms - 10, last_ms, 2))
    assert len(raw.held()) == PORTIONS_MAX
    last_ms = START_MS + 10_001
    raw.put(Portion(raw.farm(0), raw.meter(0), last_ms - 1, last_ms, 3))
    assert len(raw.held()) == PORTIONS_MAX
    assert raw.held()[:3] == [2, 5, 2]
    (_, merged, *_) = TANK_HOURS.get(raw.state, raw.name + epoch_name(START_MS // HOUR_MS)).portions
    # As late as the later, as old as the older: never easier to draw.
    assert (merged.first_ms, merged.last_ms) == (START_MS + 9_990, START_MS + 10_001)
    assert raw.tank.held_units == sum(raw.held())


def test_the_257th_meter_of_an_hour_is_refused(raw):
    for number in range(PORTIONS_MAX + 1):
        raw.admit(number)
    raw.put(*(raw.portion(1, at=1, number=number) for number in range(PORTIONS_MAX)))
    with pytest.raises(TooManyPortions):
        raw.put(raw.portion(1, at=1, number=PORTIONS_MAX))
    raw.put(raw.portion(1, at=61, number=PORTIONS_MAX))


def test_a_tank_that_nobody_filled_is_empty(raw):
    assert tank_of(raw.state, raw.name).held_units == 0
    assert draw(raw.state, raw.name, 0, *ALL) == ()
