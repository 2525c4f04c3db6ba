"""What a signer signs, and what it refuses with which code."""

from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from api.signing.process.errors import SigningRefused
from api.signing.process.rules import DAY_MS, PaidFacts, Spent, decide
from api.signing.wire import SigningKind, reference_of, units_of
from ledger.primitives.keys import address_of, format_address
from tests.support.api.signing import (
    LITRE,
    OPERATING,
    PAYER,
    PAYOUT,
    START_MS,
    STUDENT,
    coupon,
    grant,
    key_of,
    limits,
    paid,
    refund,
    rules,
    top_up,
)


@dataclass
class Book:
    """What was signed before, as a list of (reference, kind, payee, units, time)."""

    rows: list = field(default_factory=list)

    def given_units(self, reference):
        return sum(row[3] for row in self.rows if row[0] == reference)

    def spent(self, since_ms, kind, to):
        units = [
            row[3]
            for row in self.rows
            if row[4] > since_ms and kind in (None, row[1]) and to in (None, row[2])
        ]
        return Spent(sum(units), len(units))


def code(order, given=None, facts=None, book=None):
    with pytest.raises(SigningRefused) as fault:
        decide(order, given or rules(), facts, book or Book(), START_MS)
    return fault.value.code


def test_a_refund_goes_to_whoever_paid_and_bears_the_payment_as_its_reference():
    made = decide(refund(LITRE), rules(), paid(2 * LITRE), Book(), START_MS)
    assert (made.to, made.units, made.reference, made.redeem) == (PAYER, LITRE, b"\1" * 32, ())


def test_refunds_of_one_payment_are_together_no_more_than_was_paid():
    facts, before = paid(2 * LITRE), Book([(b"\1" * 32, "refund", PAYER, LITRE, 0)])
    assert decide(refund(LITRE), rules(), facts, before, START_MS).units == LITRE
    assert code(refund(LITRE + 1), None, facts, before) == "MORE_THAN_PAID"


@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        (None, "PAYMENT_UNKNOWN"),
        (PaidFacts(PAYER, None, ""), "NOT_A_PAYMENT"),
        (paid(LITRE, code="short_lot"), "NOT_A_PAYMENT"),
        (paid(LITRE, to=STUDENT), "PAID_ANOTHER"),
        (paid(LITRE, payer=OPERATING), "PAYS_ITSELF"),
    ],
)
def test_what_is_no_payment_to_us_is_not_given_back(facts, refusal):
    assert code(refund(LITRE), None, facts) == refusal


def test_payments_to_a_former_payout_and_to_the_account_itself_are_given_back():
    former = rules(former=(STUDENT,))
    assert decide(refund(1), former, paid(LITRE, to=STUDENT), Book(), START_MS).to == PAYER
    assert decide(refund(1), rules(), paid(LITRE, to=OPERATING), Book(), START_MS).to == PAYER


def test_a_coupon_pays_the_payout_exactly_the_milk_it_burns():
    order = coupon((b"\1" * 32, 200_000), (b"\2" * 32, 300_000))
    made = decide(order, rules(), None, Book(), START_MS)
    assert (made.to, made.units) == (PAYOUT, 500_000)
    assert [part.units for part in made.redeem] == [200_000, 300_000]


def test_a_union_s_coupon_pays_a_shop_of_its_file_and_no_other_and_refunds_nothing_for_it():
    shop, stranger = (address_of(key_of(name).public) for name in ("shop", "stranger"))
    union = rules(payout=None, coupons=(shop,))
    sale = replace(coupon(), to=format_address(shop, "dbill"))
    assert decide(sale, union, None, Book(), START_MS).to == shop
    for to in (stranger, PAYOUT):
        assert code(replace(coupon(), to=format_address(to, "dbill")), union) == "NO_PAYOUT"
    assert code(replace(coupon(), to="dbill1nonsense"), union) == "BAD_ADDRESS"
    assert code(refund(LITRE), union, paid(LITRE, to=shop)) == "PAID_ANOTHER"


def test_a_coupon_needs_a_payout_and_lots_that_ascend():
    assert code(coupon(), rules(payout=None)) == "NO_PAYOUT"
    assert code(coupon((b"\2" * 32, 1), (b"\1" * 32, 1))) == "BAD_BASKET"
    assert code(coupon((b"\2" * 32, 1), (b"\2" * 32, 1))) == "BAD_BASKET"


@pytest.mark.parametrize("order", [coupon(), top_up(LITRE), grant()])
def test_what_was_paid_is_not_paid_twice(order):
    before = Book([(reference_of(order), "", PAYER, 1, 0)])
    assert code(order, None, None, before) == "ALREADY_PAID"


def test_a_student_is_welcomed_once_whatever_the_address():
    first, second = grant(), grant(to=PAYER)
    assert reference_of(first) == reference_of(second)
    assert reference_of(first) != reference_of(grant(student="h2_" + "a" * 24))


def test_a_kind_without_limits_is_not_signed():
    assert code(grant(), rules(refund=limits())) == "KIND_NOT_ALLOWED"


def test_nothing_is_paid_to_an_address_of_another_network_or_with_a_slip():
    wrong = top_up(LITRE)
    assert code(type(wrong)(wrong.top_up_id, wrong.to[:-1] + "q", wrong.bill)) == "BAD_ADDRESS"


def test_a_transfer_of_nothing_and_one_to_the_account_itself_are_refused():
    assert code(top_up(0)) == "NOTHING_TO_PAY"
    assert code(top_up(LITRE, to=OPERATING)) == "PAYS_ITSELF"


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"top_up": limits(each=LITRE - 1)}, "EACH_LIMIT"),
        ({"top_up": limits(day=3 * LITRE - 1)}, "DAY_LIMIT"),
        ({"top_up": limits(times=1)}, "DAY_COUNT"),
        ({"top_up": limits(payee=3 * LITRE - 1)}, "PAYEE_LIMIT"),
        ({"top_up": limits(), "day": 3 * LITRE - 1}, "ACCOUNT_LIMIT"),
    ],
)
def test_each_limit_is_refused_one_unit_above_it_and_not_at_it(given, refusal):
    before = Book([(b"x", SigningKind.TOP_UP, STUDENT, 2 * LITRE, START_MS - DAY_MS + 1)])
    assert code(top_up(LITRE), rules(**given), None, before) == refusal
    more = {"day": given.get("day", 10**9) + 1} | {
        "top_up": limits(
            each=given["top_up"].each_units + 1,
            day=given["top_up"].day_units + 1,
            times=given["top_up"].day_count + 1,
            payee=given["top_up"].payee_day_units and given["top_up"].payee_day_units + 1,
        )
    }
    assert decide(top_up(LITRE), rules(**more), None, before, START_MS).units == LITRE


def test_a_day_is_any_24_hours_and_what_is_older_counts_no_more():
    old = Book([(b"x", SigningKind.TOP_UP, STUDENT, 100 * LITRE, START_MS - DAY_MS)])
    assert decide(top_up(LITRE), rules(), None, old, START_MS).units == LITRE


def test_the_accounts_day_counts_every_kind():
    before = Book([(b"x", SigningKind.REFUND, PAYER, 100 * LITRE, START_MS)])
    assert code(top_up(LITRE), rules(day=100 * LITRE), None, before) == "ACCOUNT_LIMIT"


def test_what_an_order_costs_is_what_its_transfer_moves():
    for order in (refund(7), coupon((b"\1" * 32, 3), (b"\2" * 32, 4)), top_up(7), grant(7)):
        assert units_of(order) == 7
