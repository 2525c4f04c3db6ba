"""Raw milk: who takes it, who voids it, what is minted of it, and what flowed without it."""

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import Units
from ledger.rules.portions import draw_lost
from ledger.state.records import Role
from ledger.state.tables import MILK_TANKS, grant_role
from ledger.types.line import StopDevice
from ledger.types.tank import CondemnMilk, CondemnReason, MoveMilk
from tests.support.ledger.cheating import Cheat
from tests.support.ledger.dairy import PLANT, bill, key
from tests.support.ledger.metering import MINUTE_MS, CollectingTown
from tests.support.ledger.window import START_MS, TANK

COLD = 60_000


def filled_at(first_ms, last_ms, litres=300):
    """A town whose tank has one farm's milk of a certain time."""
    town = Cheat(litres=())
    town.line.fill(town.state, bill(litres), first_ms=first_ms, last_ms=last_ms)
    town.run(120)
    return town


def test_milk_metered_after_it_was_pasteurized_backs_nothing():
    during = filled_at(START_MS - HOUR_MS, START_MS + 1)
    assert during.mint(during.signed(during.claim())) == "short_tank"
    before = filled_at(START_MS - HOUR_MS, START_MS)
    assert before.mint(before.signed(before.claim())) == ""


def test_milk_of_more_than_three_days_ago_backs_nothing():
    age_ms = 72 * HOUR_MS
    old = filled_at(START_MS - age_ms, START_MS - age_ms + HOUR_MS)
    assert old.mint(old.signed(old.claim())) == "short_tank"


def test_cold_milk_that_was_sold_leaves_the_tank_and_is_not_minted_with_water():
    town = Cheat(litres=(100, 50, 0))
    town.run(150, hold_thermometer=dict.fromkeys(range(151), COLD))
    claim = town.signed(town.claim())
    for fate in ("diverted_steps", "cleaning_steps"):
        kept = replace(claim, lost_steps=0, **{fate: claim.lost_steps})
        assert town.judged(kept) == "claim_differs"
    assert town.judged(replace(claim, lost_steps=0)) == "claim_differs"
    assert town.mint(claim) == ""
    assert town.tank().held_units == bill(150) - claim.lost_steps * 1_000
    town.run(150, begin=151)
    water = town.signed(town.claim())
    assert water.units > town.tank().held_units
    assert town.mint(water) == "short_tank"
    assert town.minted_units() == 0


def test_milk_that_is_collected_late_pays_what_was_lost_of_its_time_first():
    town = Cheat(litres=())
    town.run(150, hold_thermometer=dict.fromkeys(range(151), COLD))
    claim = town.signed(town.claim())
    assert town.mint(claim) == ""
    town.line.fill(town.state, bill(200), first_ms=START_MS - HOUR_MS, last_ms=START_MS)
    assert town.tank().held_units == bill(200) - claim.lost_steps * 1_000
    town.close()


@pytest.mark.parametrize("later_ms", [36 * HOUR_MS + 60_000, 70 * HOUR_MS])
def test_milk_that_waits_in_another_tank_pays_what_was_lost_of_its_time(later_ms):
    """Until nobody could collect it late any more: it is moved there only then."""
    town = Cheat(litres=(200, 0, 0))
    whole = bill(200)
    assert town.do("mmu", MoveMilk(PLANT, TANK, "other", whole)) == ""
    draw_lost(town.state, town.line.tank_id, bill(150), town.time_ms)
    town.time_ms += later_ms
    draw_lost(town.state, town.line.tank_id, 1, town.time_ms)
    assert town.do("mmu", MoveMilk(PLANT, "other", TANK, whole)) == ""
    assert town.tank().held_units == bill(50) - 1


def test_a_stopped_meters_milk_is_void_wherever_it_stands():
    town = Cheat(litres=(100, 100, 100))
    meter = town.dairy.meter_keys[0].public
    # Moved to another tank and back, it is its meter's yet.
    for tank, into in ((TANK, "other"), ("other", TANK)):
        assert town.do("mmu", MoveMilk(PLANT, tank, into, bill(150))) == ""
    assert town.do("regulator", StopDevice(meter, START_MS - 3 * HOUR_MS)) == ""
    town.run(250)
    claim = town.signed(town.claim())
    assert town.mint(claim) == "short_tank"
    less = town.signed(town.claim(200))
    assert town.mint(less) == ""
    assert town.tank().void_units == bill(100)
    town.close()


def test_condemned_milk_backs_nothing():
    town = Cheat(litres=(100, 0, 0))
    body = CondemnMilk(town.line.tank_id, bill(100), CondemnReason.ADULTERATED)
    assert town.do("regulator", body) == ""
    town.run(120)
    assert town.mint(town.signed(town.claim())) == "short_tank"


# Collections.


@pytest.fixture
def farms():
    town = CollectingTown()
    grant_role(town.state, Role.MMU, town.address("bob"))
    grant_role(town.state, Role.COLLECTOR, town.address("alice"))
    grant_role(town.state, Role.COLLECTOR, town.address("carol"))
    return town


def test_a_foreign_mmu_or_collector_takes_no_litre(farms):
    assert farms.do("bob", farms.collection(mmu="bob")) == "not_permitted"
    assert farms.do("alice", farms.collection()) == "not_permitted"
    assert farms.do("bob", farms.collection()) in {"role_missing", "not_permitted"}
    assert farms.do("carol", farms.collection()) == ""


def test_nobody_voids_what_a_meter_counted_before_by_its_newest_litre(farms):
    newest = farms.collection(litres=1, seq=100, start=605_000, ago_ms=2 * MINUTE_MS,
                              span_ms=MINUTE_MS)  # fmt: skip
    assert farms.do("carol", newest) == ""
    assert farms.do("mmu", farms.collection(litres=600, seq=10, start=5_000)) == ""
    assert sum(litres for _, litres in farms.portions()) == 601


def test_dust_fills_no_tank(farms):
    assert farms.do("mmu", farms.collection(units=999_999)) == "small_collection"


@pytest.mark.parametrize(("litres", "span_ms"), [(10**6, 1_000), (10_001, 10 * MINUTE_MS)])
def test_no_meter_counts_faster_than_its_pipe_carries(farms, litres, span_ms):
    assert farms.do("mmu", farms.collection(litres=litres, span_ms=span_ms)) == "too_fast"


def test_a_farms_day_is_clipped_and_two_days_are_the_most(farms):
    farms.permit("farm-0", litres_a_day=100)
    for number in range(4):
        farms.do("mmu", farms.collection(litres=90, seq=10 * (number + 1), start=5_000 + number
                                         * 90_000, ago_ms=(50 - 10 * number) * MINUTE_MS,
                                         span_ms=8 * MINUTE_MS))  # fmt: skip
    assert sum(litres for _, litres in farms.portions()) <= 200


def test_two_chains_by_one_meters_key_bring_each_litre_once(farms):
    """A fork has the same totals or others: only what lies after what was used, by all, is new."""
    assert farms.do("mmu", farms.collection(litres=100)) == ""
    for firmware, seq in (("fork", 10), ("fork", 11), ("fork", 9)):
        body = farms.collection(litres=100, seq=seq, firmware=firmware)
        assert farms.do("mmu", body) == "used_readings"
    assert sum(litres for _, litres in farms.portions()) == 100


def test_a_reading_with_the_tamper_bit_brings_nothing(farms):
    assert farms.do("mmu", farms.collection(tamper=True)) == "tampered"


def test_consent_withdrawn_reaches_later_milk_alone(farms):
    farms.permit("farm-0", until_ms=farms.time_ms - 20 * MINUTE_MS)
    assert farms.do("mmu", farms.collection(ago_ms=40 * MINUTE_MS)) == ""
    later = farms.collection(seq=20, start=105_000, ago_ms=15 * MINUTE_MS)
    assert farms.do("mmu", later) == "not_permitted"
    across = farms.collection(seq=30, start=105_000, ago_ms=25 * MINUTE_MS)
    assert farms.do("mmu", across) == "not_permitted"


def test_milk_of_two_days_ago_is_collected_no_more(farms):
    assert farms.do("mmu", farms.collection(ago_ms=37 * HOUR_MS)) == "outside_run"
    assert farms.do("mmu", farms.collection(ago_ms=-3 * MINUTE_MS)) == "outside_run"


def test_a_permitted_mmu_may_bring_less_than_was_metered_and_the_rest_is_gone(farms):
    """Bounded only, by the farm's trust in whom it permits: the hour is used whole."""
    assert farms.do("mmu", farms.collection(litres=600, units=10**6)) == ""
    assert farms.do("mmu", farms.collection(litres=600, units=599 * 10**6)) == "used_readings"
    assert MILK_TANKS.get(farms.state, farms.raw()).collected_units == bill(1)


def test_a_licensed_collector_and_a_farm_bring_milk_that_the_mmu_never_saw(farms):
    """Bounded only: by the meter's rate, its own permit, and what flows; a stop voids it."""
    phantom = farms.collection(meter="meter-1", litres=500, ago_ms=50 * MINUTE_MS)
    assert farms.do("carol", phantom) == ""
    meter = key("meter-1").public
    assert farms.do("regulator", StopDevice(meter, farms.time_ms - DAY_MS)) == ""
    assert farms.do("mmu", farms.collection(litres=100)) == ""
    assert farms.do("mmu", MoveMilk(PLANT, "raw", "b", Units(bill(100)))) == ""
    tank = MILK_TANKS.get(farms.state, farms.raw())
    assert tank.void_units == bill(500)
    assert tank.held_units == 0
