"""The tables of cash: whatever happens in whatever order, nothing is owed twice or forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from api.amounts import sen_worth, units_bought
from api.cash_outs.model import CashOut, CashOutEvent, CashOutState
from api.cash_outs.rules import TABLE as CASH_OUTS
from api.cash_outs.rules import received
from api.top_ups.model import COUNTS, PROMISED, TopUpEvent, TopUpState
from api.top_ups.rules import TABLE as TOP_UPS
from api.top_ups.rules import after
from api.welcomes.model import WelcomeEvent, WelcomeState
from api.welcomes.rules import TABLE as WELCOMES

PRICES = st.integers(1, 100_000)
SEN = st.integers(0, 10**9)


@given(st.lists(st.sampled_from(TopUpEvent), max_size=20))
def test_a_top_up_is_sent_or_given_back_and_never_both(events):
    state, sent, returned = TopUpState.PENDING, 0, 0
    for event in events:
        moved = after(state, event)
        if moved is None:
            continue
        state = moved
        sent += state is TopUpState.SUCCEEDED
        returned += state is TopUpState.REVERSED
    assert sent + returned <= 1
    assert (state in PROMISED) <= (state in COUNTS)
    assert bool(sent) == (state is TopUpState.SUCCEEDED)
    assert bool(returned) == (state is TopUpState.REVERSED)


def test_nothing_leads_out_of_what_is_sent_or_given_back():
    for state in (TopUpState.SUCCEEDED, TopUpState.REVERSED):
        assert not [pair for pair in TOP_UPS if pair[0] is state]
    assert not [pair for pair in WELCOMES if pair[0] is WelcomeState.SUCCEEDED]
    assert WELCOMES[WelcomeState.FAILED, WelcomeEvent.ASK] is WelcomeState.PENDING


def test_bytes_that_are_abroad_are_never_reversed():
    assert (TopUpState.SUBMITTED, TopUpEvent.REVERSE) not in TOP_UPS


def test_money_may_come_at_any_time_and_is_paid_only_where_it_came():
    for state in CashOutState:
        assert CASH_OUTS[state, CashOutEvent.RECEIVE] is CashOutState.RECEIVED
    payable = [state for state, event in CASH_OUTS if event is CashOutEvent.PAY]
    assert payable == [CashOutState.RECEIVED]


@given(SEN, PRICES)
def test_who_changes_cash_to_bill_and_back_gains_nothing(sen, litre_sen):
    assert sen_worth(units_bought(sen, litre_sen), litre_sen) <= sen


@given(st.lists(st.tuples(st.integers(1, 10**12), st.booleans()), max_size=8), PRICES, PRICES)
def test_each_transfer_is_worth_the_price_that_held_for_it(transfers, agreed_sen, later_sen):
    cash_out = CashOut(
        union_id="u", id="c", user_id="p", asked_units=1, reference=b"r", price_id="x",
        litre_sen=agreed_sen, state=CashOutState.AWAITING, created_ms=0, expires_ms=100,
    )  # fmt: skip
    worth = 0
    for units, in_time in transfers:
        cash_out = received(cash_out, units, 100 if in_time else 101, later_sen)
        worth += sen_worth(units, agreed_sen if in_time else later_sen)
    assert cash_out.owed_sen == worth
    assert cash_out.received_units == sum(units for units, _ in transfers)
