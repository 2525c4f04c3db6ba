"""One account's desk over a journal on disk: bytes once, numbers without a gap, books that hold."""

import pytest
from msgspec.structs import replace

from api.signing.process.desk import RefusedAnswer, SignedAnswer
from api.signing.process.errors import BadJournal
from api.signing.process.facts import Look, SentEntry
from api.signing.process.journal import FOREIGN, JournalEntry, SigningJournal
from api.signing.process.nonces import EntryState
from api.signing.process.rules import DAY_MS
from api.signing.wire import IN_FLIGHT_MAX
from ledger.primitives.hashing import Hash
from ledger.types.transaction import decode_transaction
from tests.support.api.signing import (
    CHAIN,
    LITRE,
    OPERATING,
    PAYER,
    START_MS,
    STUDENT,
    DeskRig,
    asked,
    coupon,
    limits,
    look,
    paid,
    refund,
    rules,
    top_up,
    transfers,
)


@pytest.fixture
def rig(tmp_path):
    return DeskRig(tmp_path, rules())


def foreign(nonce=0, units=LITRE, time_ms=START_MS, reference=b"\4" * 32, height=1):
    entry = JournalEntry(
        request_id=None,
        fingerprint=b"",
        kind=FOREIGN,
        reference=reference,
        payee=PAYER,
        units=units,
        nonce=nonce,
        txid=Hash(bytes([nonce]) * 32),
        raw=b"raw",
        valid_until_height=9,
        signed_ms=time_ms,
        state=EntryState.DONE,
        handed=True,
    )
    return SentEntry(entry, height)


def codes(answers):
    return [answer.code if isinstance(answer, RefusedAnswer) else "" for answer in answers]


def test_what_is_signed_says_chain_number_fee_and_end_and_holds(rig):
    with rig.open() as desk:
        (answer,) = desk.sign_batch([asked(top_up(LITRE))], look(nonce=3, height=40))
    made = decode_transaction(answer.raw)
    intent = made.intent
    assert (intent.chain_id, intent.nonce, intent.valid_until_height) == (CHAIN, 3, 140)
    assert intent.fee_units == look().rules.fee_least_units
    assert made.sender == OPERATING
    assert transfers([answer])[0].to == STUDENT


def test_a_request_that_was_signed_gets_the_same_bytes_after_a_restart(rig):
    request = asked(top_up(LITRE))
    with rig.open() as desk:
        (first,) = desk.sign_batch([request], look())
    with rig.open() as desk:
        again = desk.sign_batch([request, request], look(height=20, time_ms=START_MS + 1))
    assert again == [first, first]


def test_an_id_that_comes_twice_in_one_lease_is_signed_once(rig):
    request = asked(top_up(LITRE))
    with rig.open() as desk:
        first, second = desk.sign_batch([request, request], look())
        assert first == second
        assert len(desk.journal.live(OPERATING)) == 1


def test_an_id_that_changed_its_words_gets_nothing(rig):
    first = asked(top_up(LITRE))
    other = asked(top_up(2 * LITRE), request_id=first.leased.id)
    with rig.open() as desk:
        desk.sign_batch([first], look())
        assert codes(desk.sign_batch([other], look())) == ["REQUEST_CHANGED"]


def test_numbers_follow_each_other_and_a_refusal_uses_none(rig):
    orders = [top_up(LITRE), top_up(11 * LITRE), top_up(LITRE), top_up(9_999 * LITRE), coupon()]
    with rig.open() as desk:
        answers = desk.sign_batch([asked(order) for order in orders], look(nonce=5))
        assert [entry.nonce for entry in desk.journal.live(OPERATING)] == [5, 6, 7]
    assert codes(answers) == ["", "EACH_LIMIT", "", "EACH_LIMIT", ""]


def test_what_the_account_does_not_hold_is_not_signed_and_leaves_no_gap(rig):
    held = look(units=2 * LITRE + 10_000)
    orders = [top_up(LITRE), top_up(2 * LITRE), top_up(LITRE), top_up(LITRE)]
    with rig.open() as desk:
        answers = desk.sign_batch([asked(order) for order in orders], held)
        assert codes(answers) == ["", "OUT_OF_FUNDS", "", "OUT_OF_FUNDS"]
        assert [entry.nonce for entry in desk.journal.live(OPERATING)] == [0, 1]
        assert codes(desk.sign_batch([asked(top_up(LITRE))], held)) == ["OUT_OF_FUNDS"]


def test_no_more_are_on_their_way_than_a_node_takes(rig):
    many = [asked(top_up(1_000)) for _ in range(IN_FLIGHT_MAX + 3)]
    with rig.open() as desk:
        assert len(desk.sign_batch(many, look())) == IN_FLIGHT_MAX
        assert desk.room() == 0
        assert desk.sign_batch(many[-3:], look()) == []


def test_limits_hold_within_one_batch_and_over_restarts(tmp_path):
    rig = DeskRig(tmp_path, rules(top_up=limits(day=3 * LITRE)))
    with rig.open() as desk:
        answers = desk.sign_batch([asked(top_up(LITRE)) for _ in range(2)], look())
        assert codes(answers) == ["", ""]
    with rig.open() as desk:
        answers = desk.sign_batch([asked(top_up(LITRE)) for _ in range(2)], look())
        assert codes(answers) == ["", "DAY_LIMIT"]
        later = look(time_ms=START_MS + DAY_MS)
        rig.wall_ms = later.time_ms
        assert codes(desk.sign_batch([asked(top_up(LITRE))], later)) == [""]


def test_refunds_of_one_payment_in_one_batch_are_no_more_than_was_paid(rig):
    facts = paid(3 * LITRE)
    batch = [asked(refund(2 * LITRE), facts), asked(refund(2 * LITRE), facts)]
    with rig.open() as desk:
        assert codes(desk.sign_batch(batch, look())) == ["", "MORE_THAN_PAID"]
        assert codes(desk.sign_batch([asked(refund(LITRE), facts)], look())) == [""]


def test_a_chain_whose_time_goes_back_does_not_give_the_day_back(tmp_path):
    rig = DeskRig(tmp_path, rules(top_up=limits(day=LITRE)))
    with rig.open() as desk:
        desk.sign_batch([asked(top_up(LITRE))], look(time_ms=START_MS))
        early = look(time_ms=START_MS - 200_000)
        assert codes(desk.sign_batch([asked(top_up(LITRE))], early)) == ["DAY_LIMIT"]
        assert desk.journal.newest_ms(OPERATING) == START_MS


@pytest.mark.parametrize("apart_ms", [-300_001, 300_001, 2 * DAY_MS])
def test_a_clock_far_from_the_chains_stops_all_signing(rig, apart_ms):
    rig.wall_ms = START_MS + apart_ms
    with rig.open() as desk:
        assert "clock" in desk.hindrance(look())
        assert desk.sign_batch([asked(top_up(LITRE))], look()) == []


def test_a_fee_above_the_signers_own_limit_is_not_paid(rig):
    rig.fee_units_max = look().rules.fee_least_units - 1
    with rig.open() as desk:
        assert codes(desk.sign_batch([asked(top_up(LITRE))], look())) == ["FEE_TOO_HIGH"]
        assert desk.journal.live(OPERATING) == []


def settle(desk, answer, state):
    desk.journal.note_fates([(decode_transaction(answer.raw).id, state)])


def test_what_lapsed_is_not_signed_again_under_its_id_but_may_be_asked_anew(rig):
    facts, request = paid(LITRE), asked(refund(LITRE), paid(LITRE))
    with rig.open() as desk:
        (answer,) = desk.sign_batch([request], look())
        assert codes(desk.sign_batch([asked(refund(LITRE), facts)], look())) == ["MORE_THAN_PAID"]
        settle(desk, answer, EntryState.LAPSED)
        assert codes(desk.sign_batch([request], look(height=120))) == ["LAPSED"]
        (anew,) = desk.sign_batch([asked(refund(LITRE), facts)], look(height=120))
        assert decode_transaction(anew.raw).intent.nonce == 0


def test_what_failed_on_chain_counts_as_not_given_but_as_a_signature(tmp_path):
    rig = DeskRig(tmp_path, rules(coupon=limits(times=2)))
    order = coupon()
    with rig.open() as desk:
        (answer,) = desk.sign_batch([asked(order)], look())
        settle(desk, answer, EntryState.FAILED)
        later = look(nonce=1)
        assert desk.lacking(later) == 0
        answers = desk.sign_batch([asked(order), asked(coupon(reference=b"\5" * 32))], later)
        assert codes(answers) == ["", "DAY_COUNT"]


def test_a_gap_that_lapsed_is_filled_before_new_numbers(rig):
    with rig.open() as desk:
        answers = desk.sign_batch([asked(top_up(LITRE)) for _ in range(3)], look())
        settle(desk, answers[1], EntryState.LAPSED)
        more = desk.sign_batch([asked(top_up(LITRE)) for _ in range(2)], look())
    assert [decode_transaction(answer.raw).intent.nonce for answer in more] == [1, 3]


def test_a_key_with_a_new_journal_waits_until_its_earlier_bytes_are_too_late(rig):
    rig.new_key = False
    with rig.open() as desk:
        assert "elsewhere" in desk.hindrance(look(height=50))
        assert desk.sign_batch([asked(top_up(LITRE))], look(height=149)) == []
        assert desk.hindrance(look(height=150)) == ""
    with rig.open() as desk:
        assert desk.hindrance(look(height=150)) == ""


def test_a_new_journal_takes_in_what_the_chain_knows_and_counts_it(rig):
    rig.new_key = False
    rig.rules = rules(top_up=limits(day=2 * LITRE), refund=limits())
    with rig.open() as desk:
        assert desk.lacking(look(nonce=2)) == 2
        reference = bytes.fromhex(refund(1).tx_hash)
        took = [foreign(0), foreign(1, reference=reference)]
        assert not desk.adopt(took, look(nonce=2))
        assert desk.lacking(look(nonce=2)) == 0
        ready = look(height=110, nonce=2)
        answers = desk.sign_batch(
            [asked(top_up(LITRE)), asked(refund(LITRE), paid(2 * LITRE - 1))], ready
        )
    assert codes(answers) == ["DAY_LIMIT", "MORE_THAN_PAID"]


def test_a_transaction_that_nobody_here_signed_stops_the_account_for_good(rig):
    with rig.open() as desk:
        assert desk.adopt([foreign(0, height=1)], look(nonce=1))
    with rig.open() as desk:
        late = look(nonce=1, height=10_000)
        assert "another process" in desk.hindrance(late)
        assert desk.sign_batch([asked(top_up(LITRE))], late) == []
        assert desk.adopt([foreign(1)], look(nonce=2))
        desk.journal.forget_mark(OPERATING)
        assert "elsewhere" in desk.hindrance(late)
        assert desk.hindrance(look(nonce=1, height=10_100)) == ""


@pytest.mark.parametrize(("height", "stopped"), [(110, False), (111, True)])
def test_what_an_older_journal_may_have_signed_is_no_stranger_until_it_is_too_late(
    rig, height, stopped
):
    rig.new_key = False
    with rig.open() as desk:
        assert desk.hindrance(look(height=10))
        assert desk.adopt([foreign(0, height=height)], look(height=500, nonce=1)) == stopped


def test_bytes_that_were_not_handed_over_are_found_again_and_dead_ones_are_not(rig):
    requests = [asked(top_up(LITRE)) for _ in range(3)]
    with rig.open() as desk:
        answers = desk.sign_batch(requests, look())
        settle(desk, answers[2], EntryState.LAPSED)
        desk.journal.note_handed(OPERATING, requests[0].leased.id)
    with rig.open() as desk:
        left = desk.journal.unhanded(OPERATING)
    assert [entry.raw for entry in left] == [answers[1].raw]


def test_a_journal_belongs_to_one_chain(rig):
    with rig.open() as desk:
        desk.journal.bind_chain(CHAIN)
        with pytest.raises(BadJournal, match="home of its own"):
            desk.journal.bind_chain(Hash(bytes(32)))


def test_a_file_that_is_no_journal_is_told(tmp_path):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(BadJournal, match="can't be used"):
        SigningJournal(path)


def test_a_disk_that_refuses_leaves_nothing_signed(rig):
    with rig.open() as desk:
        (first,) = desk.sign_batch([asked(top_up(LITRE))], look())
        twin = desk.journal.live(OPERATING)[0]
        with pytest.raises(BadJournal, match="can't be written"):
            desk.journal.keep(OPERATING, [foreign(7).entry, twin])
        assert [entry.raw for entry in desk.journal.live(OPERATING)] == [first.raw]
        assert isinstance(first, SignedAnswer)


def test_what_the_parameters_ask_is_the_fee(rig):
    dear = Look(10, START_MS, 0, 100 * LITRE, replace(look().rules, fee_least_units=777))
    with rig.open() as desk:
        (answer,) = desk.sign_batch([asked(top_up(LITRE))], dear)
    assert decode_transaction(answer.raw).intent.fee_units == 777
