"""Who pays for false milk: share, bond, reserve, those who signed; and whom it pays."""

import pytest
from msgspec.structs import replace

from ledger.state.records import Reason
from ledger.state.tables import (
    LOCKED_ACCOUNT,
    LOTS,
    MMUS,
    RESERVE_ACCOUNT,
    account,
    supply,
)
from ledger.types.doubt import RefuteLot
from ledger.types.milk import ChallengeLot, ReleaseBond, ResolveChallenge
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.doubted import (
    FIRST,
    HOLD,
    SECOND,
    TO_MS,
    Doubted,
)

INSIDE_MS = FIRST[0] + 10_000


@pytest.fixture
def town():
    return Doubted()


# Two readings of one number.


def test_two_readings_of_one_number_void_the_interval_and_cost_no_attestor(town):
    one, other = (town.envelope(HOLD, TO_MS, 75_000 + i) for i in (0, 1))
    assert town.refute(HOLD, one, other) == ""
    assert town.proven.intervals[0].void
    assert town.bond("attestor-0") == bill(50)
    town.close()


def test_one_reading_twice_and_two_of_two_numbers_are_nothing(town):
    one = town.envelope(HOLD, INSIDE_MS)
    assert town.refute(HOLD, one, one) == "nothing_refuted"
    other = town.envelope(HOLD, INSIDE_MS, seq=21)
    assert town.refute(HOLD, one, other) == "nothing_refuted"
    again = replace(one, signature=key("alice").sign(b""))
    body = RefuteLot(town.lot, 0, town.key(HOLD).public, (one, again))
    with pytest.raises(AssertionError):
        town.do("alice", body)


# Who pays.


def test_false_milk_is_paid_by_the_locked_share_and_the_bond(town):
    bond = MMUS.get(town.state, town.address("mmu")).bond_units
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    assert town.proven.locked_units == account(town.state, LOCKED_ACCOUNT).units == 0
    assert MMUS.get(town.state, town.address("mmu")).bond_units == bond + bill(5) - bill(40)
    assert supply(town.state).by_reason_units[Reason.FRAUD] == bill(40)
    assert LOTS.get(town.state, town.lot).remaining_units == bill(60)
    town.close()


def test_no_more_of_the_share_is_taken_than_was_false(town):
    town.change(
        intervals=(replace(town.proven.intervals[0], units=bill(1)), town.proven.intervals[1])
    )
    bond = MMUS.get(town.state, town.address("mmu")).bond_units
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    assert town.proven.locked_units == bill(4)
    assert MMUS.get(town.state, town.address("mmu")).bond_units == bond


def test_what_was_sold_of_false_milk_is_fined(town):
    town.must("alice", town.dairy.pay(town.address("bob"), bill(90), (town.lot, bill(90))))
    before = account(town.state, RESERVE_ACCOUNT).units
    town.change(attestors=())
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    assert account(town.state, RESERVE_ACCOUNT).units - before == bill(30)
    assert supply(town.state).by_reason_units[Reason.FRAUD] == bill(10)
    town.close()


def test_what_a_ruling_found_false_is_not_found_false_again(town):
    town.must("alice", ChallengeLot(town.lot, bill(10), bytes(32)))
    town.must("carol", ResolveChallenge(town.lot, town.address("alice"), bill(80)))
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    cold = town.envelope(HOLD, SECOND[0], 60_000)
    assert LOTS.get(town.state, town.lot).false_units == bill(100)
    assert town.refute(HOLD, cold, interval=1) == ""
    assert LOTS.get(town.state, town.lot).false_units == bill(100)
    town.close()


def test_everyone_who_signed_is_slashed_and_nobody_else(town):
    reserve, alice = account(town.state, RESERVE_ACCOUNT).units, town.units("alice")
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    assert town.refute(HOLD, cold, place=town.place(cold)) == ""
    # A fifth of each bond, and a tenth of that to who showed it.
    assert [town.bond(f"attestor-{i}") for i in range(3)] == [bill(40), bill(40), bill(50)]
    fee = town.dairy.genesis.parameters.least_fee(1)
    assert town.units("alice") == alice + bill(2) - fee
    assert account(town.state, RESERVE_ACCOUNT).units == reserve + bill(18)
    town.close()


def refuted_of(town, units):
    """Refute an interval of so many units; give what the refuter got."""
    one, other = town.proven.intervals
    rest = bill(100) - units
    town.change(intervals=(replace(one, units=units), replace(other, units=rest)))
    alice = town.units("alice")
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    assert town.refute(HOLD, cold, place=town.place(cold)) == ""
    town.close()
    return town.units("alice") - alice + town.dairy.genesis.parameters.least_fee(1)


def test_who_signed_loses_no_more_than_was_false(town):
    refuted_of(town, 1_001)
    assert [town.bond(f"attestor-{i}") for i in range(3)] == [
        bill(50) - 1_001,
        bill(50) - 1_001,
        bill(50),
    ]


def test_who_refutes_gets_no_more_than_half_of_what_was_false():
    assert refuted_of(Doubted(refuter_bp=5_000), 1_001) == 500
    assert refuted_of(Doubted(refuter_bp=1_000), 1_001) == 200


def test_a_reading_that_nobody_is_shown_to_have_seen_costs_no_attestor(town):
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    assert town.proven.intervals[0].void
    assert town.bond("attestor-0") == bill(50)


def test_a_good_reading_that_was_seen_costs_no_attestor_for_another_that_was_not(town):
    good, cold = town.envelope(HOLD, INSIDE_MS), town.envelope(HOLD, INSIDE_MS, 60_000)
    assert town.refute(HOLD, good, cold, place=town.place(good)) == ""
    assert town.bond("attestor-0") == bill(50)


def test_a_reading_shown_at_a_wrong_place_refutes_nothing(town):
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    place = town.place(cold)
    other = town.envelope(HOLD, INSIDE_MS, 59_000)
    assert town.refute(HOLD, other, place=place) == "unclaimed_reading"
    assert town.refute(HOLD, cold, place=replace(place, index=2)) == "unclaimed_reading"
    assert town.refute(HOLD, cold, place=place) == ""


def test_an_attestor_without_a_bond_loses_none():
    town = Doubted(attestors_bond=0)
    cold = town.envelope(HOLD, INSIDE_MS, 60_000)
    assert town.refute(HOLD, cold, place=town.place(cold)) == ""
    town.close()


def test_a_deficit_is_what_neither_share_nor_bond_nor_reserve_could_pay():
    town = Doubted(attestors_bond=0)
    mmu = town.address("mmu")
    held = MMUS.get(town.state, mmu).bond_units
    town.must("regulator", ReleaseBond(mmu, held - bill(10)))
    reserve = account(town.state, RESERVE_ACCOUNT).units
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    owed = bill(40) - bill(5) - bill(10) - reserve
    assert MMUS.get(town.state, mmu).deficit_units == supply(town.state).deficit_units == owed
    town.close()
