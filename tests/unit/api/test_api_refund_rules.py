"""How much goes back: parts are rounded down, and together they are what was paid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.refunds.model import EXCESS, BurnedPacks, Refund, RefundEvent, RefundReason, RefundState
from api.refunds.rules import TABLE, NoRefund, Quoted, after, excess_of, packs_burned, share_of
from tests.support.api.signing import ulid

QUOTE = Quoted(180, 500_000)
SPOILED = RefundReason.SPOILED


def earlier(units, sen, reason=SPOILED, state=RefundState.SUCCEEDED):
    return Refund(
        id=ulid(),
        merchant_id="",
        order_id=None,
        tx_hash=b"",
        units=units,
        amount_sen=sen,
        reason=reason,
        state=state,
        automatic=False,
        requested_by="",
        created_ms=0,
    )


def code(paid, before=(), asked=None, quote=QUOTE):
    with pytest.raises(NoRefund) as fault:
        share_of(paid, quote, before, asked)
    return fault.value.code


def test_all_of_it_goes_back_in_the_units_that_were_paid():
    share = share_of(500_000, QUOTE, [], None)
    assert (share.units, share.amount_sen) == (500_000, 180)


def test_a_part_is_rounded_down_and_the_last_takes_the_rest():
    first = share_of(500_000, QUOTE, [], 70)
    assert first.units == 500_000 * 70 // 180
    rest = share_of(500_000, QUOTE, [earlier(first.units, 70)], 110)
    assert first.units + rest.units == 500_000


@given(
    st.integers(1, 10**9),
    st.integers(1, 10**6),
    st.lists(st.integers(1, 10**6), max_size=12),
    st.integers(0, 10**6),
)
def test_whatever_is_asked_parts_are_never_more_than_was_paid_and_all_are_exactly_that(
    units, sen, asked, excess
):
    quote, before, paid = Quoted(sen, units), [], units + excess
    if excess:
        before.append(earlier(excess, None, RefundReason.OVERPAID))
    for one in [*asked, None]:
        try:
            share = share_of(paid, quote, before, one)
        except NoRefund:
            continue
        assert share.units > 0
        before.append(earlier(share.units, share.amount_sen))
    assert sum(refund.units for refund in before) == paid
    assert sum(refund.amount_sen or 0 for refund in before) == sen


def test_what_failed_or_was_cancelled_counts_for_nothing():
    before = [
        earlier(500_000, 180, state=state) for state in (RefundState.FAILED, RefundState.CANCELLED)
    ]
    assert share_of(500_000, QUOTE, before, None).units == 500_000
    pending = earlier(500_000, 180, state=RefundState.PENDING)
    assert code(500_000, [pending]) == "NOTHING_LEFT"


def test_more_than_is_left_and_less_than_a_unit_are_refused():
    assert code(500_000, [earlier(250_000, 90)], 91) == "MORE_THAN_PAID"
    assert code(1, [], 1, Quoted(180, 1)) == "TOO_LITTLE"


def test_without_a_quote_all_goes_back_and_no_part():
    assert share_of(7, None, [], None).units == 7
    assert code(7, [], 1, None) == "NO_QUOTE"


def test_excess_goes_back_once_and_never_more_than_was_paid():
    assert excess_of(700_000, 200_000, []) == 200_000
    assert excess_of(700_000, 2**63, []) == 700_000
    assert excess_of(700_000, 200_000, [earlier(600_000, 180)]) == 100_000
    assert excess_of(700_000, 200_000, [earlier(700_000, 180)]) == 0


def test_what_came_in_beyond_the_quote_is_no_part_of_the_price():
    before = [earlier(200_000, 72, RefundReason.OVERPAID)]
    share = share_of(700_000, QUOTE, before, 90)
    assert share.units == 500_000 * 90 // 180
    assert RefundReason.OVERPAID in EXCESS


def test_what_ended_stays_ended():
    ends = (RefundState.SUCCEEDED, RefundState.FAILED, RefundState.CANCELLED)
    assert not [pair for pair in TABLE if pair[0] in ends]
    assert after(RefundState.SUBMITTED, RefundEvent.CANCELLED) is None
    assert after(RefundState.SUBMITTED, RefundEvent.LAPSED) is RefundState.PENDING


def test_packs_come_back_whole_each_of_one_lot():
    a, b = b"a", b"b"
    items = [("whole", 200, 2), ("whole", 500, 1), ("goat", 250, 1)]
    basket = [(a, "whole", 700), (b, "whole", 200), (b, "goat", 250)]
    assert packs_burned(items, basket) == [
        BurnedPacks(a, 200, 1),
        BurnedPacks(a, 500, 1),
        BurnedPacks(b, 200, 1),
        BurnedPacks(b, 250, 1),
    ]
    assert packs_burned([("whole", 300, 1)], [(a, "whole", 200), (b, "whole", 200)]) == []
