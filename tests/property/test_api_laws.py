"""Laws of money at the edge: amounts as text, questions as bytes, what payments do to orders."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.amounts import format_sen, parse_sen, parse_units, units_for
from api.db.models import OrderState, Outcome
from api.errors import MalformedRequest
from api.http.bodies import decode_body
from api.payments.schemas import ValidationBody
from api.services.payments import Question, question_of
from api.services.settlement import PAYABLE, Observed, Standing, decide
from api.services.stock import Shelf, take
from ledger.primitives.amounts import UNITS_PER_BILL, Units, format_bill


def read_question(raw: bytes) -> Question:
    """Read a body as the route does."""
    return question_of(decode_body(raw, ValidationBody))


SEN = st.integers(0, 999_999_999_99)
UNITS = st.integers(0, 10**15)


@given(SEN)
def test_what_is_written_as_ringgit_reads_back_as_the_same_sen(sen: int) -> None:
    assert parse_sen(format_sen(sen)) == sen


@given(st.integers(0, 999_999_999 * UNITS_PER_BILL))
def test_what_is_written_as_bill_reads_back_as_the_same_units(units: int) -> None:
    assert parse_units(format_bill(Units(units))) == units


@given(st.text(max_size=14) | st.from_regex(r"[0-9０-９_.eE+-]{0,12}"))
def test_only_plain_ascii_decimals_are_amounts(text: str) -> None:
    sen = parse_sen(text)
    if sen is None:
        return
    assert set(text) <= set("0123456789.")
    assert Decimal(text) * 100 == sen
    whole, _, part = text.partition(".")
    assert str(int(whole)) == whole
    assert len(part) <= 2


@given(st.integers(1, 10**9), st.integers(1, 10**6))
def test_a_quote_in_tokens_is_never_worth_less_than_the_price(sen: int, litre_sen: int) -> None:
    units = units_for(sen, litre_sen)
    assert units * litre_sen >= sen * UNITS_PER_BILL
    assert (units - 1) * litre_sen < sen * UNITS_PER_BILL


@given(st.binary(max_size=300))
def test_any_bytes_are_a_question_or_a_malformed_request(raw: bytes) -> None:
    with contextlib.suppress(MalformedRequest):
        question = read_question(raw)
        assert len(question.tx_hash) == 32
        assert (question.sen is None) != (question.units is None)


@given(st.recursive(st.none() | st.booleans() | st.text(max_size=5), st.lists, max_leaves=5))
def test_nothing_but_text_or_number_is_an_amount(value: object) -> None:
    import json

    body = json.dumps({"txHash": "ab" * 32, "expectedAmount": value}).encode()
    if isinstance(value, str) and parse_sen(value) is not None:
        assert read_question(body).sen == parse_sen(value)
        return
    with pytest.raises(MalformedRequest):
        read_question(body)


STANDINGS = st.builds(
    Standing,
    state=st.sampled_from([str(state) for state in OrderState]),
    amount_units=st.integers(500, 1_000),
    redeem_units=st.integers(1, 500),
    expires_ms=st.integers(0, 100),
)


def paid(standing: Standing, **changes: object) -> Observed:
    """Make the payment that an order asks for, with members changed."""
    members: dict[str, object] = {
        "tx_hash": b"t" * 32,
        "reference": b"r" * 32,
        "to": b"m" * 32,
        "payer": b"p" * 32,
        "units": standing.amount_units,
        "redeem_units": standing.redeem_units,
        "height": 1,
        "block_hash": b"b" * 32,
        "time_ms": standing.expires_ms,
        "code": "",
        **changes,
    }
    return Observed(**members)  # type: ignore[arg-type]  # the members' types are above


@given(STANDINGS, st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3))
def test_a_payment_is_good_if_it_alone_is_the_whole_quote_of_an_open_order(
    standing: Standing, more: int, redeemed_more: int, late_ms: int
) -> None:
    units = standing.amount_units + more
    payment = paid(
        standing,
        units=units,
        redeem_units=min(standing.redeem_units + redeemed_more, units),
        time_ms=standing.expires_ms + late_ms,
    )
    verdict = decide(standing, payment)
    exact = more == 0 and payment.redeem_units == standing.redeem_units
    good = verdict.outcome in (Outcome.SUCCEEDED, Outcome.PAID_LATE)
    assert good == (standing.state in PAYABLE and exact)
    assert (verdict.outcome is Outcome.SUCCEEDED) == (good and late_ms <= 0)
    assert not good or verdict.after.state == "paid"


@given(STANDINGS)
def test_a_failed_transaction_changes_no_order(standing: Standing) -> None:
    verdict = decide(standing, paid(standing, code="short_lot"))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.after == standing


@given(STANDINGS, st.booleans(), st.booleans())
def test_an_order_that_took_its_money_takes_no_second_payment_late_or_not(
    standing: Standing, first_late: bool, second_late: bool
) -> None:
    first = paid(standing, time_ms=standing.expires_ms + first_late)
    second = paid(standing, time_ms=standing.expires_ms + second_late)
    after = decide(standing, first).after
    verdict = decide(after, second)
    assert verdict.outcome is Outcome.DUPLICATE
    assert verdict.after.exception == Outcome.DUPLICATE
    if standing.state in PAYABLE:
        assert verdict.after.delta_units == standing.amount_units


@given(st.lists(st.integers(0, 50), max_size=6), st.lists(st.integers(1, 20), max_size=20))
def test_shelves_never_give_more_than_they_hold(free: list[int], wanted: list[int]) -> None:
    shelves = [Shelf(bytes([n]), "whole", units) for n, units in enumerate(free)]
    given_units = sum(units for units in wanted if take(shelves, "whole", units) is not None)
    assert given_units <= sum(free)
    assert all(shelf.free_units >= 0 for shelf in shelves)
    assert sum(shelf.taken_units for shelf in shelves) == given_units
    assert take(shelves, "goat", 1) is None
