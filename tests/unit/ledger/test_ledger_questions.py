"""Questions: a claimed reading is shown when it is asked for, or all the lot counted is void."""

import pytest
from msgspec.structs import replace

from ledger.params import HOUR_MS
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import ZERO_HASH
from ledger.rules import questions
from ledger.rules.doubts import doubted_units, is_contestable
from ledger.rules.vouchers import attestor_stands, bind_attestors
from ledger.state.records import Role
from ledger.state.tables import (
    ATTESTOR_BONDS,
    DEPOSITS_ACCOUNT,
    DOUBTS,
    LOTS,
    MMUS,
    PARAMETERS,
    RESERVE_ACCOUNT,
    account,
    grant_role,
    parameters,
)
from ledger.types.milk import ChallengeLot, PostBond, ReleaseBond, ResolveChallenge
from tests.support.ledger.dairy import bill, key
from tests.support.ledger.doubted import (
    AFTER,
    BOOT,
    FIRST,
    FROM_MS,
    HOLD,
    LAST,
    OPEN_UNTIL_MS,
    VALVE,
    Doubted,
)

INSIDE_MS = FIRST[0] + 10_000
FEE = 100


@pytest.fixture
def town():
    return Doubted()


def reserve(town):
    return account(town.state, RESERVE_ACCOUNT).units


def test_a_question_is_answered_by_its_reading_and_the_reserve_has_the_deposit(town):
    before, alice, bob = reserve(town), town.units("alice"), town.units("bob")
    assert town.ask(HOLD, 30) == ""
    assert town.units("alice") == alice - bill(10) - FEE
    assert town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30)) == ""
    assert reserve(town) == before + bill(10)
    assert town.units("bob") < bob
    assert account(town.state, DEPOSITS_ACCOUNT).units == 0
    assert town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30)) == "unknown_question"
    town.time_ms += HOUR_MS
    assert town.void(HOLD, 30) == "unknown_question"
    town.close()


def test_what_nobody_answers_voids_all_that_the_lot_counted(town):
    alice = town.units("alice")
    assert town.ask(HOLD, 30) == ""
    town.time_ms += 60_000
    assert town.void(HOLD, 30) == "answer_pending"
    town.time_ms += 1
    assert town.void(HOLD, 30) == ""
    assert all(each.void for each in town.proven.intervals)
    assert LOTS.get(town.state, town.lot).false_units == bill(100)
    assert town.units("alice") == alice - FEE
    assert town.bond("attestor-0") == bill(50)
    assert DOUBTS.get(town.state, town.lot) is None
    town.close()


def test_what_is_void_already_is_not_void_twice(town):
    town.ask(HOLD, 30)
    assert town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000)) == ""
    bond = MMUS.get(town.state, town.address("mmu")).bond_units
    town.time_ms += HOUR_MS
    assert town.void(HOLD, 30) == ""
    assert MMUS.get(town.state, town.address("mmu")).bond_units == bond - bill(60)
    town.close()


def test_a_question_may_be_answered_late_until_somebody_voids_the_lot(town):
    town.ask(HOLD, 30)
    town.time_ms += HOUR_MS
    assert town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30)) == ""
    assert not any(each.void for each in town.proven.intervals)


@pytest.mark.parametrize(
    ("seq", "boot", "code"),
    [
        (AFTER + 1, BOOT, ""),
        (LAST, BOOT, ""),
        (AFTER, BOOT, "unclaimed_reading"),
        (LAST + 1, BOOT, "unclaimed_reading"),
        (0, BOOT + 1, "unclaimed_reading"),
        (50, BOOT - 1, "unclaimed_reading"),
    ],
)
def test_only_a_claimed_reading_is_asked_for(town, seq, boot, code):
    assert town.ask(HOLD, seq, boot) == code


def test_a_question_takes_a_deposit(town):
    assert town.ask(HOLD, 30, deposit=bill(10) - 1) == "low_deposit"
    assert town.ask(HOLD, 30, deposit=bill(100_000)) == "insufficient_funds"


def test_the_same_is_asked_once_at_a_time(town):
    assert town.ask(HOLD, 30) == ""
    assert town.ask(HOLD, 30, who="bob") == "open_question"
    assert town.ask(VALVE, 30, who="bob") == ""
    town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30))
    assert town.ask(HOLD, 30, who="bob") == ""
    town.close()


def test_an_mmu_does_not_fill_the_places_for_questions_about_its_own_lot(town):
    assert town.ask(HOLD, 30, who="mmu") == "own_cause"


def test_so_many_questions_are_open_and_no_more(town, monkeypatch):
    monkeypatch.setattr(questions, "QUESTIONS_MAX", 2)
    assert [town.ask(HOLD, seq) for seq in (30, 31, 32)] == ["", "", "too_many_questions"]
    town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30))
    assert town.ask(HOLD, 32) == ""
    town.close()


def test_a_lot_past_doubt_is_not_asked_about_though_a_doubt_stands(town):
    town.time_ms = OPEN_UNTIL_MS
    assert town.ask(HOLD, 30) == ""
    town.time_ms += 1
    assert is_contestable(town.state, town.lot, town.proven, town.time_ms)
    assert town.ask(HOLD, 31) == "window_over"
    assert town.do("bob", ChallengeLot(town.lot, bill(10), bytes(32))) == "window_over"
    town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30))
    assert not is_contestable(town.state, town.lot, town.proven, town.time_ms)


def test_a_lot_without_a_window_is_not_asked_about(town):
    town.lot = town.dairy.genesis.stock[0].lot_id()
    assert town.ask(HOLD, 30) == "unproven_lot"


# Answers.


def test_another_reading_is_no_answer(town):
    town.ask(HOLD, 30)
    for seq in (29, 31):
        shown = town.envelope(HOLD, INSIDE_MS, seq=seq)
        assert town.show(HOLD, 30, shown) == "no_answer"
    assert town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=LAST + 1)) == "unclaimed_reading"
    foreign = town.envelope(VALVE, INSIDE_MS, seq=30, signer=town.key(HOLD))
    assert town.show(HOLD, 30, foreign) == "foreign_envelope"


def test_two_linked_readings_show_that_there_is_none_between(town):
    town.change(spans=town.spans(HOLD, boot=BOOT + 1, seq=5))
    town.ask(HOLD, 2**40)
    before = town.envelope(HOLD, INSIDE_MS, seq=30)
    linked = town.envelope(
        HOLD, INSIDE_MS, boot=BOOT + 1, seq=0, previous=before.digest(), signer=None
    )
    loose = town.envelope(HOLD, INSIDE_MS, boot=BOOT + 1, seq=0)
    assert town.show(HOLD, 2**40, before, loose) == "no_answer"
    assert town.show(HOLD, 2**40, linked, before) == "no_answer"
    beyond = town.envelope(HOLD, INSIDE_MS, boot=BOOT + 1, seq=6, previous=before.digest())
    assert town.show(HOLD, 2**40, before, beyond) == "unclaimed_reading"
    assert town.show(HOLD, 2**40, before, linked) == ""
    town.close()


def test_two_linked_readings_after_it_answer_nothing(town):
    town.ask(HOLD, 29)
    before = town.envelope(HOLD, INSIDE_MS, seq=30)
    after = town.envelope(HOLD, INSIDE_MS, seq=31, previous=before.digest())
    assert town.show(HOLD, 29, before, after) == "no_answer"
    assert town.show(HOLD, 29, town.raw(HOLD, b""), after) == "bad_envelope"


def test_the_earlier_of_two_may_lie_before_what_was_claimed(town):
    town.change(spans=town.spans(HOLD, boot=BOOT + 1, seq=5))
    town.ask(HOLD, AFTER + 1)
    before = town.envelope(HOLD, INSIDE_MS, seq=AFTER)
    after = town.envelope(HOLD, INSIDE_MS, boot=BOOT + 1, seq=0, previous=before.digest())
    assert town.show(HOLD, AFTER + 1, before, after) == ""


def test_a_chain_that_begins_later_shows_that_nobody_has_the_reading(town):
    town.change(spans=town.spans(HOLD, boot=BOOT + 1, seq=5))
    town.ask(HOLD, 30)
    linked = town.envelope(HOLD, INSIDE_MS, boot=BOOT + 1, seq=0)
    within = town.envelope(HOLD, INSIDE_MS, boot=BOOT + 1, seq=1, previous=ZERO_HASH)
    begins = town.envelope(HOLD, INSIDE_MS, boot=BOOT + 1, seq=0, previous=ZERO_HASH)
    assert town.show(HOLD, 30, linked) == "no_answer"
    assert town.show(HOLD, 30, within) == "no_answer"
    assert town.show(HOLD, 30, begins) == ""


@pytest.mark.parametrize("known", [True, False])
def test_of_a_device_never_shown_before_nobody_owes_what_was_before_the_window(town, known):
    after = (BOOT, AFTER) if known else None
    town.change(spans=town.spans(HOLD, after=after, from_ms=FROM_MS + 5_000))
    town.ask(HOLD, 30)
    late = town.envelope(HOLD, FROM_MS + 5_001, seq=31)
    assert town.show(HOLD, 30, late) == "no_answer"
    early = town.envelope(HOLD, FROM_MS + 5_000, seq=31)
    assert town.show(HOLD, 30, early) == ("no_answer" if known else "")
    earlier = town.envelope(HOLD, FROM_MS, seq=29)
    assert town.show(HOLD, 30, earlier) in {"no_answer", "unknown_question"}


# What a doubt holds.


def test_several_challenges_of_a_lot_stand_and_each_is_ruled_on(town):
    for who in ("alice", "bob", "regulator"):
        town.must(who, ChallengeLot(town.lot, bill(10), bytes(32)))
    assert town.do("bob", ChallengeLot(town.lot, bill(10), bytes(32))) == "challenged_already"
    bob = town.units("bob")
    assert town.do("carol", ResolveChallenge(town.lot, town.address("bob"), bill(60))) == ""
    assert town.units("bob") == bob + bill(10)
    over = ResolveChallenge(town.lot, town.address("alice"), bill(41))
    assert town.do("carol", over) == "false_units_over_lot"
    own = ResolveChallenge(town.lot, town.address("regulator"), bill(1))
    assert town.do("regulator", own) == "own_cause"
    assert town.do("carol", replace(over, false_units=bill(40))) == ""
    assert town.do("carol", own) == "false_units_over_lot"
    assert town.do("carol", replace(own, false_units=0)) == ""
    assert DOUBTS.get(town.state, town.lot) is None
    town.close()


def test_a_bond_stays_for_what_is_in_doubt(town):
    mmu = town.address("mmu")
    bond = MMUS.get(town.state, mmu).bond_units
    town.ask(HOLD, 30)
    town.must("bob", ChallengeLot(town.lot, bill(10), bytes(32)))
    assert doubted_units(town.state, mmu) == bill(100)
    assert town.do("regulator", ReleaseBond(mmu, bond - bill(100) + 1)) == "bound_bond"
    town.must("carol", ResolveChallenge(town.lot, town.address("bob"), 0))
    assert town.do("regulator", ReleaseBond(mmu, bond - bill(100) + 1)) == "bound_bond"
    assert town.do("regulator", ReleaseBond(mmu, bond - bill(100))) == ""
    town.show(HOLD, 30, town.envelope(HOLD, INSIDE_MS, seq=30))
    assert town.do("regulator", ReleaseBond(mmu, bill(100))) == ""
    town.close()


def test_a_bond_stays_for_what_was_minted_in_the_window(town):
    mmu = town.address("mmu")
    held = MMUS.get(town.state, mmu)
    rules = parameters(town.state)
    day_ms = rules.challenge_window_ms // 14
    MMUS.put(town.state, replace(held, days=((town.time_ms // day_ms, bill(1_000)),)), mmu)
    most = held.bond_units - bill(50)
    assert town.do("regulator", ReleaseBond(mmu, Units(most + 1))) == "bound_bond"
    assert town.do("regulator", ReleaseBond(mmu, Units(most))) == ""
    town.time_ms += 2 * rules.challenge_window_ms
    assert town.do("regulator", ReleaseBond(mmu, bill(50))) == ""


# Attestors.


def test_who_attests_vouches_out_of_its_keys_account(town):
    town.must(key("attestor-0"), PostBond(bill(7)))
    assert town.bond("attestor-0") == bill(57)
    assert town.do("alice", PostBond(bill(7))) == "role_missing"
    assert town.do(key("attestor-0"), PostBond(0)) == "zero_units"
    town.close()


def test_an_mmu_that_attests_vouches_for_its_milk(town):
    grant_role(town.state, Role.ATTESTOR, key("mmu").public)
    bond = MMUS.get(town.state, town.address("mmu")).bond_units
    town.must("mmu", PostBond(bill(1)))
    assert MMUS.get(town.state, town.address("mmu")).bond_units == bond + bill(1)
    assert town.bond("mmu") == 0


def test_a_word_counts_with_enough_at_stake(town):
    rules = parameters(town.state)
    least = replace(rules.doubt, attestor_bond_least_units=bill(50))
    assert attestor_stands(town.state, key("attestor-3").public)
    PARAMETERS.put(town.state, replace(rules, doubt=least))
    assert attestor_stands(town.state, key("attestor-0").public)
    assert not attestor_stands(town.state, key("attestor-3").public)
    town.refute(HOLD, town.envelope(HOLD, INSIDE_MS, 60_000))
    assert not attestor_stands(town.state, key("attestor-0").public)


def test_an_attestors_bond_stays_until_all_that_it_signed_is_past_doubt(town):
    address = town.address("attestor-0")
    keys = (key("attestor-0").public, key("attestor-3").public)
    bind_attestors(town.state, keys, OPEN_UNTIL_MS)
    bind_attestors(town.state, keys, OPEN_UNTIL_MS - 5)
    assert ATTESTOR_BONDS.get(town.state, town.address("attestor-3")) is None
    assert town.do("regulator", ReleaseBond(address, bill(50) + 1)) == "short_bond"
    town.time_ms = OPEN_UNTIL_MS
    assert town.do("regulator", ReleaseBond(address, bill(50))) == "bound_bond"
    town.time_ms += 1
    assert town.do("regulator", ReleaseBond(address, bill(20))) == ""
    assert town.do("regulator", ReleaseBond(address, bill(30))) == ""
    assert ATTESTOR_BONDS.get(town.state, address) is None
    town.close()
