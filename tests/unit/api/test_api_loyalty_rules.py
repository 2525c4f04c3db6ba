"""Points and coupons as tables and sums: nothing is counted twice, nothing used ever comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.coupons.model import Coupon, CouponEvent, CouponFunder, CouponState
from api.coupons.rules import TABLE, after, before, why_not
from api.loyalty.model import POINTS_A_COUPON
from api.loyalty.rules import adjust, earn, reverse
from tests.support.api.signing import START_MS, ulid


def coupon(state=CouponState.ISSUED, price_sen=180, expires_ms=START_MS + 1):
    held = state in (CouponState.RESERVED, CouponState.REDEEMED)
    return Coupon(
        union_id="u",
        id=ulid(),
        user_id="s",
        merchant_id="shop",
        code="C" * 16,
        product_id="whole-200",
        price_sen=price_sen,
        funded_by=CouponFunder.MERCHANT,
        campaign_id=None,
        state=state,
        order_id="o" if held else None,
        issued_ms=START_MS,
        expires_ms=expires_ms,
    )


def test_the_fifth_point_is_a_coupon():
    assert [earn(balance) for balance in range(5)] == [
        (1, False),
        (2, False),
        (3, False),
        (4, False),
        (0, True),
    ]


def test_a_debt_of_points_is_earned_off_first():
    assert earn(-1) == (0, False)


def test_a_point_that_is_gone_takes_back_an_unused_coupon_and_never_a_used_one():
    assert (reverse(3, ["a"]).balance, reverse(3, ["a"]).revoked) == (2, None)
    taken = reverse(0, ["a", "b"])
    assert (taken.balance, taken.revoked) == (4, "b")
    assert (reverse(0, []).balance, reverse(0, []).revoked) == (-1, None)
    assert reverse(-1, ["a"]).balance == 3


@given(st.lists(st.sampled_from(["earn", "reverse", "use"]), max_size=80))
def test_earned_less_reversed_is_the_balance_and_five_a_coupon_that_stands(acts):
    balance, unused, used, earned = 0, [], 0, 0
    for number, act in enumerate(acts):
        match act:
            case "earn":
                balance, whole = earn(balance)
                unused += [str(number)] if whole else []
                earned += 1
            case "reverse" if earned:
                decided = reverse(balance, unused)
                balance, earned = decided.balance, earned - 1
                unused = [one for one in unused if one != decided.revoked]
            case "use" if unused:
                unused.pop()
                used += 1
        assert earned == balance + POINTS_A_COUPON * (len(unused) + used)
        assert balance < POINTS_A_COUPON
        assert balance >= 0 or not unused


def test_points_given_by_hand_make_coupons_too_and_points_taken_none():
    assert adjust(3, 8) == (1, 2)
    assert adjust(3, -4) == (-1, 0)


@pytest.mark.parametrize("event", CouponEvent)
def test_each_event_happens_in_one_state_alone(event):
    assert sum(one is event for _, one in TABLE) == 1
    assert after(event) is TABLE[before(event), event]


def test_what_is_over_or_taken_back_stays_so_and_what_was_used_in_vain_alone_comes_back():
    ends = {CouponState.EXPIRED, CouponState.REVOKED}
    assert not [pair for pair in TABLE if pair[0] in ends]
    left = [event for state, event in TABLE if state is CouponState.REDEEMED]
    assert left == [CouponEvent.RESTORE]
    assert before(CouponEvent.REDEEM) is CouponState.RESERVED


@pytest.mark.parametrize(
    ("held", "shop", "price", "code"),
    [
        (coupon(), "shop", 180, ""),
        (coupon(), "shop", 120, ""),
        (coupon(), "shop", 181, "COUPON_TOO_SMALL"),
        (coupon(), "other", 180, "COUPON_OF_ANOTHER_SHOP"),
        (coupon(expires_ms=START_MS), "shop", 180, "COUPON_OVER"),
        (coupon(CouponState.RESERVED), "shop", 180, "COUPON_IN_USE"),
        (coupon(CouponState.REDEEMED), "shop", 180, "COUPON_OVER"),
        (coupon(CouponState.REVOKED), "shop", 180, "COUPON_OVER"),
    ],
)
def test_a_coupon_buys_a_pack_up_to_its_worth_in_its_shop_and_time(held, shop, price, code):
    assert why_not(held, shop, price, START_MS) == code
