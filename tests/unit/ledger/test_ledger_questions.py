"""Questions: a claimed reading is shown when it is asked for, or all the lot counted is void."""

import pytest

from ledger.params import HOUR_MS
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.keys import verify
from ledger.rules import questions
from ledger.rules.doubts import is_contestable
from ledger.state.tables import (
    DEPOSITS_ACCOUNT,
    DOUBTS,
    LOTS,
    MMUS,
    RESERVE_ACCOUNT,
    account,
)
from ledger.transition import signature_claims
from ledger.types.doubt import ShowEvidence
from ledger.types.milk import ChallengeLot
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
    town.ask(HOLD, 3, boot=BOOT + 1)
    assert town.show(HOLD, 3, begins, boot=BOOT + 1) == "no_answer"
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


def test_every_reading_that_answers_must_be_signed_by_its_device(town):
    forged = town.envelope(HOLD, INSIDE_MS, seq=30, signer=key("bob"))
    body = ShowEvidence(town.lot, town.key(HOLD).public, BOOT, 30, (forged,))
    transaction = town.dairy.next(town.state, body, key("bob"))
    claims = signature_claims(transaction, town.dairy.chain_id)
    assert [verify(*claim) for claim in claims] == [True, False]
