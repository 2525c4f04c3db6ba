"""Consent, a farm's day, and what a tank's milk goes through before it flows."""

import pytest
from msgspec.structs import replace

from ledger.errors.milk import ShortTank
from ledger.params import DAY_MS
from ledger.rules import Call, check_body
from ledger.rules.collecting import day_left
from ledger.state.lines import Permit
from ledger.state.records import Role
from ledger.state.tables import MILK_TANKS, PERMITS, grant_role, revoke_role
from ledger.types.milk import LossReason, WriteOff
from ledger.types.tank import CondemnMilk, CondemnReason, MoveMilk
from tests.support.ledger.dairy import PLANT, bill, key
from tests.support.ledger.metering import MINUTE_MS, CollectingTown


@pytest.fixture
def town():
    return CollectingTown()


def collect(town, who="mmu", **changes):
    return town.do(who, town.collection(**changes))


def test_no_farms_milk_goes_where_it_did_not_consent(town):
    grant_role(town.state, Role.MMU, town.address("bob"))
    assert collect(town, who="bob", mmu="bob") == "not_permitted"
    PERMITS.remove(town.state, town.address("farm-0") + bytes(32))
    assert collect(town) == "not_permitted"


def test_the_mmu_or_the_permitted_collector_brings_it(town):
    for who in ("carol", "bob"):
        assert collect(town, who=who) == "role_missing"
        grant_role(town.state, Role.COLLECTOR, town.address(who))
    assert collect(town, who="bob") == "not_permitted"
    assert collect(town, who="carol") == ""


def test_the_tank_is_of_a_licensed_mmu(town):
    revoke_role(town.state, Role.MMU, town.mmu)
    assert collect(town) == "role_missing"


def test_withdrawn_consent_reaches_later_milk_only(town):
    """Judged at metering time: what was metered before it is over may still be brought."""
    over_ms = town.time_ms - 15 * MINUTE_MS
    town.permit("farm-0", until_ms=over_ms)
    assert collect(town) == ""
    assert collect(town, seq=20, start=105_000, ago_ms=20 * MINUTE_MS) == "not_permitted"
    assert collect(town, seq=30, start=205_000, ago_ms=14 * MINUTE_MS) == "not_permitted"


def test_new_terms_leave_what_was_metered_under_those_before(town):
    new_ms = town.time_ms - 15 * MINUTE_MS
    grant_role(town.state, Role.MMU, town.address("bob"))
    town.permit("farm-0", until_ms=new_ms)
    name = town.address("farm-0") + bytes(32)
    old = PERMITS.get(town.state, name).terms
    town.permit("farm-0", mmu="bob", from_ms=new_ms)
    new = PERMITS.get(town.state, name).terms
    PERMITS.put(town.state, Permit(new, (old,)), name)
    assert collect(town, who="bob", mmu="bob") == "not_permitted"
    assert collect(town) == ""
    later = {"seq": 20, "start": 105_000, "ago_ms": 14 * MINUTE_MS}
    assert collect(town, **later) == "not_permitted"
    assert collect(town, who="bob", mmu="bob", **later) == ""


def test_a_meters_own_permit_rules_alone(town):
    meter = key("meter-0").public
    town.permit("farm-0", meter=meter, until_ms=0)
    assert collect(town) == "not_permitted"
    town.permit("farm-0", meter=meter)
    assert collect(town) == ""
    days = PERMITS.get(town.state, town.address("farm-0") + meter).days
    assert days == ((town.time_ms // DAY_MS, bill(100)),)


# A farm's day.


def test_a_farms_day_is_clipped_and_refused_only_when_it_is_full():
    town = CollectingTown(litres_a_day=150)
    assert collect(town, litres=100) == ""
    assert collect(town, litres=100, seq=20, start=105_000, ago_ms=20 * MINUTE_MS) == ""
    # What the day before left serves this one: 150 + 150.
    assert collect(town, litres=120, seq=30, start=205_000, ago_ms=10 * MINUTE_MS) == ""
    assert [litres for _, litres in town.portions()] == [100, 100, 100]
    town.time_ms += MINUTE_MS
    last = {"litres": 9, "seq": 40, "start": 325_000, "ago_ms": MINUTE_MS, "span_ms": MINUTE_MS}
    assert collect(town, **last) == "day_full"
    town.close()


def test_the_litres_of_a_day_are_the_same_in_any_order():
    most = 100
    assert day_left({}, 7, most) == 200
    assert day_left({6: 100}, 7, most) == 100
    assert day_left({6: 70}, 7, most) == 130
    assert day_left({6: 70, 7: 130}, 7, most) == 0
    assert day_left({6: 150}, 7, most) == 100
    # The day after took 60 of this one's.
    assert day_left({8: 160}, 7, most) == 40
    assert day_left({8: 160, 7: 40}, 7, most) == 0
    assert day_left({8: 80}, 7, most) == 200


# Moving, writing off, condemning.


def test_milk_moves_and_keeps_its_origin(town):
    assert collect(town) == ""
    assert collect(town, meter="meter-1", ago_ms=20 * MINUTE_MS) == ""
    assert town.do("mmu", MoveMilk(PLANT, "raw", "silo", bill(130))) == ""
    assert town.portions() == [("farm-1", 70)]
    assert town.portions("silo") == [("farm-0", 100), ("farm-1", 30)]
    town.close()


def account_of(town, tank="raw"):
    """How much of a tank may rise, and fall, without flow: in litres."""
    found = MILK_TANKS.get(town.state, town.raw(tank))
    return found.gauge_credit_units // bill(1), found.gauge_due_units // bill(1)


def test_what_comes_and_goes_may_rise_and_fall(town):
    assert collect(town) == ""
    assert account_of(town) == (100, 0)
    assert town.do("mmu", MoveMilk(PLANT, "raw", "silo", bill(40))) == ""
    assert account_of(town) == (100, 40)
    assert account_of(town, "silo") == (40, 0)
    body = CondemnMilk(town.tank, bill(30), CondemnReason.SPOILED)
    assert town.do("regulator", body) == ""
    assert account_of(town) == (100, 70)


def test_a_tank_stands_since_its_first_milk(town):
    assert collect(town) == ""
    height = MILK_TANKS.get(town.state, town.tank).height
    assert height == town.height
    assert collect(town, meter="meter-1") == ""
    assert MILK_TANKS.get(town.state, town.tank).height == height


def test_a_mempool_knows_that_a_tank_holds_less(town):
    assert collect(town) == ""
    short = MoveMilk(PLANT, "raw", "silo", bill(101))
    with pytest.raises(ShortTank):
        check_body(town.state, Call(town.mmu, 0, 0), short)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (MoveMilk(PLANT, "raw", "silo", bill(101)), "short_tank"),
        (MoveMilk(PLANT, "raw", "silo", 0), "zero_units"),
        (MoveMilk(PLANT, "raw", "raw", 1), "same_tank"),
        (MoveMilk(PLANT, "silo", "raw", 1), "unknown_tank"),
        (MoveMilk("elsewhere", "raw", "silo", 1), "unknown_tank"),
    ],
)
def test_a_move_that_can_not_be(town, body, code):
    assert collect(town) == ""
    assert town.do("mmu", body) == code


def test_a_tanks_mmu_writes_off_and_nobody_else(town):
    assert collect(town) == ""
    loss = WriteOff(town.tank, bill(30), LossReason.SPILLED)
    assert town.do("alice", loss) == "foreign_tank"
    assert town.do("mmu", replace(loss, units=bill(101))) == "short_tank"
    assert town.do("mmu", loss) == ""
    tank = MILK_TANKS.get(town.state, town.tank)
    assert (tank.held_units, tank.lost_units) == (bill(70), bill(30))
    town.close()


def test_a_regulator_condemns_milk_of_a_tank(town):
    assert collect(town) == ""
    body = CondemnMilk(town.tank, bill(30), CondemnReason.RESIDUES)
    assert town.do("mmu", body) == "role_missing"
    assert town.do("regulator", replace(body, units=0)) == "zero_units"
    assert town.do("regulator", replace(body, units=bill(101))) == "short_tank"
    assert town.do("regulator", body) == ""
    tank = MILK_TANKS.get(town.state, town.tank)
    assert (tank.held_units, tank.void_units) == (bill(70), bill(30))
    town.close()


def test_a_regulator_condemns_milk_of_a_lot_with_its_tokens(town):
    lot = town.make_lot()
    before = town.close().held_units
    body = CondemnMilk(lot, bill(30), CondemnReason.ADULTERATED)
    assert town.do("regulator", replace(body, units=bill(101))) == "short_lot"
    assert town.do("regulator", replace(body, subject=bytes(32))) == "unknown_lot"
    assert town.do("regulator", body) == ""
    assert town.close().held_units == before - bill(30)
