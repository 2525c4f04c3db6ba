"""Laws of money at the edge: amounts as text, questions as bytes, what payments do to orders."""

import contextlib
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.amounts import format_sen, parse_sen, parse_units, units_for
from api.catalogue.shelves import Packs, Shelf, draw
from api.errors import MalformedRequest
from api.http.bodies import decode_body
from api.orders.model import OrderEvent, OrderState
from api.orders.rules import PAYABLE, TABLE, NoSuchMove, move
from api.payments.model import GOOD, Outcome
from api.payments.rules import Due, Paid, Standing, buy, decide, reconsider
from api.payments.schemas import ValidationBody
from api.payments.validation import Question, question_of
from ledger.primitives.amounts import UNITS_PER_BILL, Units, format_bill
from ledger.types.transfer import REDEMPTIONS_MAX


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


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Invent an order of two kinds of milk, each offered in two lots."""
    milk = {"whole": draw(st.integers(1, 200)), "chocolate": draw(st.integers(1, 200))}
    offered = {b"w1": "whole", b"w2": "whole", b"c1": "chocolate", b"c2": "chocolate"}
    amount = draw(st.integers(sum(milk.values()), 1_000))
    due = Due(amount, milk, offered, draw(st.integers(0, 100)))
    return Standing(draw(st.sampled_from(list(OrderState))), due)


def paid(standing: Standing, **changes: object) -> Paid:
    """Make the payment that an order asks for, with members changed."""
    due = standing.due
    exact = Paid(
        due.amount_units,
        ((b"c1", due.milk_units["chocolate"]), (b"w1", due.milk_units["whole"])),
        due.expires_ms,
    )
    return replace(exact, **changes)  # type: ignore[arg-type]


@given(
    standings(),
    st.integers(-3, 3),
    st.integers(-1, 1),
    st.integers(0, 1),
    st.integers(-3, 3),
    st.none() | st.integers(0, 100),
)
def test_a_payment_is_good_if_it_alone_is_the_whole_quote_of_an_open_order(
    standing: Standing, more: int, milk: int, stray: int, late_ms: int, seen_ms: int | None
) -> None:
    due = standing.due
    basket = [(b"c1", due.milk_units["chocolate"]), (b"w2", due.milk_units["whole"] + milk)]
    payment = paid(
        standing,
        units=due.amount_units + more,
        basket=(*basket, (b"??", stray)) if stray else tuple(basket),
        time_ms=due.expires_ms + late_ms,
        seen_ms=seen_ms,
    )
    verdict = decide(standing, payment)
    exact = more == milk == stray == 0
    in_time = late_ms <= 0 or (seen_ms is not None and seen_ms <= due.expires_ms)
    good = verdict.outcome in GOOD
    assert good == (standing.state in PAYABLE and exact)
    assert (verdict.outcome is Outcome.SUCCEEDED) == (good and in_time)
    assert not good or verdict.after.state is OrderState.PAID


@given(standings())
def test_milk_of_one_kind_does_not_stand_in_for_another(standing: Standing) -> None:
    due = standing.due
    payment = paid(standing, basket=((b"w1", due.redeem_units),))
    verdict = decide(standing, payment)
    assert verdict.outcome not in GOOD
    assert standing.state not in PAYABLE or verdict.after.state is standing.state


@given(standings())
def test_a_failed_transaction_changes_no_order(standing: Standing) -> None:
    verdict = decide(standing, paid(standing, code="short_lot"))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.after == standing


@given(standings(), st.booleans(), st.booleans())
def test_an_order_that_took_its_money_takes_no_second_payment_late_or_not(
    standing: Standing, first_late: bool, second_late: bool
) -> None:
    first = paid(standing, time_ms=standing.due.expires_ms + first_late)
    second = paid(standing, time_ms=standing.due.expires_ms + second_late)
    after = decide(standing, first).after
    verdict = decide(after, second)
    cancelled = standing.state is OrderState.CANCELLED
    assert verdict.outcome == ("paid_after_cancel" if cancelled else "duplicate")
    assert verdict.after.exception == verdict.outcome
    assert verdict.after.state is after.state
    assert verdict.after.received_units == 2 * standing.due.amount_units


@given(standings(), st.lists(st.integers(0, 1_000), max_size=5))
def test_dust_before_an_exact_payment_marks_nothing_and_the_payment_stays_good(
    standing: Standing, dust: list[int]
) -> None:
    order = replace(standing, state=OrderState.AWAITING_PAYMENT)
    for units in dust:
        before = order
        order = decide(order, Paid(units, (), 0)).after
        enough = order.received_units >= order.due.amount_units
        assert order.state is before.state
        assert order.exception == ("wrong_redemption" if enough else None)
    verdict = decide(order, paid(standing))
    assert verdict.outcome is Outcome.SUCCEEDED
    assert verdict.after.state is OrderState.PAID
    assert verdict.after.exception == ("overpaid" if sum(dust) else None)


@given(standings(), st.lists(st.integers(0, 1_000), max_size=5))
def test_no_wallet_s_money_pays_a_coupon_s_order_and_its_purchase_does(
    standing: Standing, sums: list[int]
) -> None:
    order = replace(standing, free=True)
    for payment in (paid(standing), *(Paid(units, (), 0) for units in sums)):
        verdict = decide(order, payment)
        assert verdict.outcome not in GOOD
        assert verdict.after.state is order.state
        order = reconsider(verdict.after)
        assert order.state is verdict.after.state
    bought = buy(order, paid(standing))
    if standing.state in PAYABLE:
        assert (bought.outcome, bought.after.state) == (Outcome.SUCCEEDED, OrderState.PAID)
        assert bought.after.exception == "overpaid", "what came in beside it goes back"
    else:
        assert (bought.outcome, bought.after) == (Outcome.IN_VAIN, order)


SHELVES = st.lists(
    st.builds(
        Shelf,
        id=st.binary(min_size=2, max_size=2),
        kind=st.sampled_from(["whole", "goat"]),
        pack_units=st.sampled_from([0, 0, 3, 5]),
        free_units=st.integers(0, 60),
    ),
    max_size=12,
    unique_by=lambda shelf: shelf.id,
)
PACKS = st.lists(
    st.builds(
        Packs, st.sampled_from(["whole", "goat"]), st.sampled_from([3, 5]), st.integers(1, 9)
    ),
    min_size=1,
    max_size=4,
)


@given(SHELVES, st.lists(PACKS, max_size=5))
def test_shelves_never_give_more_than_they_hold_and_only_whole_packs(
    shelves: list[Shelf], orders: list[list[Packs]]
) -> None:
    begun = {shelf.id: shelf.free_units for shelf in shelves}
    by_id = {shelf.id: shelf for shelf in shelves}
    taken: Counter[bytes] = Counter()
    for wanted in orders:
        before = [(shelf.free_units, shelf.taken_units) for shelf in shelves]
        basket = draw(shelves, wanted)
        if basket is None:
            assert before == [(shelf.free_units, shelf.taken_units) for shelf in shelves]
            continue
        lots = [bytes.fromhex(part.lot) for part in basket]
        assert lots == sorted(set(lots))
        assert len(lots) <= REDEMPTIONS_MAX
        milk: Counter[str] = Counter()
        for lot, part in zip(lots, basket, strict=True):
            shelf = by_id[lot]
            assert part.kind == shelf.kind
            assert part.units > 0
            assert not shelf.pack_units or part.units % shelf.pack_units == 0
            milk[part.kind] += part.units
            taken[lot] += part.units
        due = Counter[str]()
        for packs in wanted:
            due[packs.kind] += packs.count * packs.pack_units
        assert milk == due
    for shelf in shelves:
        assert shelf.free_units == begun[shelf.id] - taken[shelf.id] >= 0


@given(SHELVES, PACKS)
def test_milk_is_refused_only_if_there_is_not_enough_in_eight_lots(
    shelves: list[Shelf], wanted: list[Packs]
) -> None:
    fitting = [shelf for shelf in shelves if shelf.pack_units == 0]
    whole_only = [packs for packs in wanted if packs.kind == "whole"][:1]
    if not whole_only:
        return
    (packs,) = whole_only
    holds = sorted(
        (s.free_units // packs.pack_units for s in fitting if s.kind == "whole"), reverse=True
    )
    basket = draw(fitting, whole_only)
    assert (basket is not None) == (sum(holds[:REDEMPTIONS_MAX]) >= packs.count)


def test_the_table_of_orders_is_as_the_design_has_it() -> None:
    moves = {(s, e): TABLE.get((s, e)) for s in OrderState for e in OrderEvent}
    money = {OrderEvent.PAID_IN_PART, OrderEvent.PAID_WHOLE}
    for (state, event), after in moves.items():
        if after is None:
            with pytest.raises(NoSuchMove):
                move(state, event)
            continue
        assert move(state, event) is after
        # Nothing comes back: not what is paid, not what was given back, not what was called off.
        if state not in PAYABLE:
            assert event not in money
            assert after in (state, OrderState.PARTIALLY_REFUNDED, OrderState.REFUNDED)
    assert {OrderState.AWAITING_PAYMENT, OrderState.EXPIRED} == PAYABLE
