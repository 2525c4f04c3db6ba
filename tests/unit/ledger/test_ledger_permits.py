"""Permits: whose milk may go where, judged by when it was metered."""

import pytest

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.keys import PublicKey
from ledger.rules.permits import ALL_METERS, PERMIT_MS_MAX, permit_at, permit_terms
from ledger.state.lines import PERMIT_TERMS_MAX
from ledger.state.names import permit_name
from ledger.state.records import NOBODY, Role
from ledger.state.tables import PERMITS
from ledger.types.line import PermitCollector
from ledger.types.registry import GrantRole, RevokeRole
from tests.support.ledger.dairy import NOW_MS, Dairy, bill, key
from tests.support.ledger.town import PURSES, Town

FARM, METER = Town.address("farm-0"), PublicKey(key("meter-0").public)
MMU, OTHER = Town.address("mmu"), Town.address("alice")


@pytest.fixture
def town():
    town = Town(Dairy(balances={**PURSES, "farm-0": bill(10)}, lined=False))
    assert town.do("regulator", GrantRole(Role.MMU, OTHER)) == ""
    return town


def permit(town, mmu=MMU, meter=ALL_METERS, until_ms=None, litres=2_000, who="farm-0"):
    until_ms = town.time_ms + DAY_MS if until_ms is None else until_ms
    return town.do(who, PermitCollector(mmu, meter, NOBODY, litres, until_ms))


def may(town, from_ms, to_ms, mmu=MMU, meter=METER):
    return permit_terms(town.state, FARM, meter, mmu, from_ms, to_ms) is not None


def test_milk_metered_under_a_permit_may_go_to_its_mmu_alone(town):
    assert permit(town) == ""
    end_ms = NOW_MS + DAY_MS
    assert may(town, NOW_MS, end_ms - 1)
    assert not may(town, NOW_MS - 1, end_ms - 1)
    assert not may(town, NOW_MS, end_ms)
    assert not may(town, NOW_MS, NOW_MS + 1, mmu=OTHER)
    town.close()


def test_a_farm_that_wrote_nothing_permits_nothing(town):
    assert not may(town, NOW_MS, NOW_MS + 1)
    assert permit_at(town.state, FARM, METER, NOW_MS) is None


def test_a_withdrawal_reaches_later_milk_alone(town):
    assert permit(town) == ""
    town.time_ms += HOUR_MS
    assert permit(town, until_ms=0) == ""
    assert may(town, NOW_MS, town.time_ms - 1)
    assert not may(town, NOW_MS, town.time_ms)


def test_new_terms_for_all_meters_leave_the_past_of_a_meter_with_its_own(town):
    """Its own follow those of before without a gap, whatever the farm says of the others later."""
    minute_ms = HOUR_MS // 60
    assert permit(town) == ""
    town.time_ms += 10 * minute_ms
    assert permit(town, meter=METER) == ""
    town.time_ms += 10 * minute_ms
    assert permit(town, litres=1_000) == ""
    assert may(town, NOW_MS + minute_ms, NOW_MS + 15 * minute_ms)
    assert may(town, NOW_MS + minute_ms, NOW_MS + 25 * minute_ms)


def test_another_mmu_replaces_the_first_from_now_on(town):
    assert permit(town) == ""
    town.time_ms += HOUR_MS
    assert permit(town, mmu=OTHER) == ""
    assert may(town, NOW_MS, town.time_ms - 1)
    assert may(town, town.time_ms, town.time_ms + 1, mmu=OTHER)
    assert not may(town, NOW_MS, town.time_ms, mmu=OTHER)
    assert not may(town, NOW_MS, town.time_ms)


def test_one_stretch_of_milk_may_lie_under_terms_that_follow_each_other(town):
    assert permit(town) == ""
    town.time_ms += HOUR_MS
    assert permit(town, litres=9) == ""
    terms = permit_terms(town.state, FARM, METER, MMU, NOW_MS, town.time_ms)
    assert terms is not None
    assert terms.litres_a_day == 9


def test_a_change_of_mind_within_one_block_leaves_no_gap(town):
    assert permit(town) == ""
    town.time_ms += HOUR_MS
    assert permit(town, mmu=OTHER) == ""
    assert permit(town) == ""
    assert may(town, NOW_MS, town.time_ms)


def test_between_two_permits_nothing_is_permitted(town):
    assert permit(town, until_ms=NOW_MS + HOUR_MS) == ""
    town.time_ms += 2 * HOUR_MS
    assert permit(town) == ""
    assert may(town, NOW_MS, NOW_MS + HOUR_MS - 1)
    assert may(town, town.time_ms, town.time_ms)
    assert not may(town, NOW_MS, town.time_ms)
    assert not may(town, NOW_MS + HOUR_MS, town.time_ms - 1)


def test_a_meters_own_permit_rules_alone_from_its_first_on(town):
    assert permit(town) == ""
    town.time_ms += HOUR_MS
    assert permit(town, mmu=OTHER, meter=METER, until_ms=town.time_ms + HOUR_MS) == ""
    now, other_meter = town.time_ms, PublicKey(key("meter-1").public)
    assert may(town, NOW_MS, now - 1)
    assert may(town, now, now, mmu=OTHER)
    assert not may(town, now, now)
    assert not may(town, now + HOUR_MS, now + HOUR_MS)
    assert may(town, now, now, meter=other_meter)
    names = [permit_at(town.state, FARM, METER, at)[0] for at in (now - 1, now)]
    assert names == [permit_name(FARM, ALL_METERS), permit_name(FARM, METER)]


def test_milk_may_lie_under_the_permit_for_all_and_then_the_meters_own(town):
    assert permit(town) == ""
    town.time_ms += HOUR_MS
    assert permit(town, meter=METER) == ""
    assert may(town, NOW_MS, town.time_ms)


def test_a_meter_is_taken_out_of_the_permit_for_all(town):
    assert permit(town) == ""
    town.time_ms += HOUR_MS
    assert permit(town, meter=METER, until_ms=0) == ""
    assert may(town, NOW_MS, town.time_ms - 1)
    assert not may(town, town.time_ms, town.time_ms)


@pytest.mark.parametrize(
    ("meter", "who", "code"),
    [
        (key("new").public, "farm-0", "device_unregistered"),
        (key("flow_meter").public, "farm-0", "wrong_instrument"),
        (METER, "bob", "foreign_operator"),
    ],
)
def test_a_farm_permits_its_own_meters_alone(town, meter, who, code):
    assert permit(town, meter=PublicKey(meter), who=who) == code


def test_milk_goes_to_a_licensed_mmu(town):
    assert permit(town, mmu=town.address("bob")) == "role_not_held"


def test_a_permit_is_withdrawn_from_who_lost_the_licence(town):
    assert permit(town, mmu=OTHER) == ""
    assert town.do("regulator", RevokeRole(Role.MMU, OTHER)) == ""
    assert permit(town, mmu=OTHER) == "role_not_held"
    assert permit(town, mmu=OTHER, until_ms=0) == ""


def test_consent_is_renewed_within_400_days(town):
    assert permit(town, until_ms=NOW_MS + PERMIT_MS_MAX + 1) == "permit_too_long"
    assert permit(town, until_ms=NOW_MS + PERMIT_MS_MAX) == ""


def test_what_is_not_permitted_is_not_withdrawn(town):
    assert permit(town, until_ms=0) == "no_permit"
    assert permit(town) == ""
    assert permit(town, until_ms=NOW_MS) == ""
    assert permit(town, until_ms=NOW_MS) == "no_permit"


def test_terms_stay_as_long_as_milk_may_be_recorded_under_them(town):
    late_ms = town.dairy.genesis.parameters.collection_late_ms_max
    assert permit(town) == ""
    for _ in range(20):
        town.time_ms += late_ms // 4
        assert permit(town) == ""
        assert may(town, town.time_ms - min(late_ms, town.time_ms - NOW_MS), town.time_ms)
    assert len(PERMITS.get(town.state, permit_name(FARM, ALL_METERS)).before) < PERMIT_TERMS_MAX


def test_too_many_changes_wait_and_a_withdrawal_does_not(town):
    for _ in range(PERMIT_TERMS_MAX + 1):
        assert permit(town) == ""
        town.time_ms += 1
    assert permit(town) == "too_many_terms"
    assert permit(town, until_ms=0) == ""
    assert not may(town, town.time_ms, town.time_ms)
