"""The price is a bounded median of a quorum; the pool pays farmers by it, in order."""

import random

import pytest

from ledger.params import DAY_MS, HOUR_MS
from ledger.rules.price import last_price, next_bounds, price_quorum
from ledger.rules.subsidy import MONTH_MS
from ledger.state.market import Price
from ledger.state.records import Role
from ledger.state.tables import PRICE, SUBSIDY, SUBSIDY_ACCOUNT, account, grant_role, revoke_role
from ledger.types.governance import SetParameter
from ledger.types.price import FeedPrice, FundSubsidy, SetSubsidy
from ledger.types.registry import GrantRole, RevokeRole
from tests.support.ledger.dairy import bill
from tests.support.ledger.town import Town

RM = 1_000_000
FEEDERS = ("alice", "bob", "carol", "treasury")


@pytest.fixture
def town():
    town = Town()
    for name in FEEDERS:
        grant_role(town.state, Role.ORACLE, town.address(name))
    grant_role(town.state, Role.TREASURY, town.address("treasury"))
    for i in range(3):
        grant_role(town.state, Role.FARMER, town.address(f"farm-{i}"))
    return town


def feed(town, *values):
    """One round, a feed a feeder; give the codes."""
    found = PRICE.get(town.state) or Price()
    return [
        town.do(who, FeedPrice(found.round, value))
        for who, value in zip(FEEDERS, values, strict=False)
    ]


def test_a_quorum_outvotes_false_feeders():
    assert [price_quorum(n) for n in (1, 3, 4, 6, 7, 10)] == [1, 1, 3, 3, 5, 7]


def test_the_price_is_the_median_of_a_quorum(town):
    assert feed(town, 5 * RM, 900 * RM) == ["", ""]
    assert last_price(town.state) is None
    assert town.do("alice", FeedPrice(0, 5 * RM)) == "fed_already"
    assert town.do("carol", FeedPrice(1, 5 * RM)) == "wrong_round"
    assert town.do("mmu", FeedPrice(0, 5 * RM)) == "role_missing"
    assert town.do("carol", FeedPrice(0, 6 * RM)) == ""
    assert last_price(town.state) == 6 * RM
    assert town.do("treasury", FeedPrice(0, 6 * RM)) == "wrong_round"
    town.close()


def test_a_feeder_without_licence_has_no_say_in_the_round_under_way(town):
    feed(town, 5 * RM, 5 * RM)
    revoke_role(town.state, Role.ORACLE, town.address("alice"))
    grant_role(town.state, Role.ORACLE, town.address("mmu"))
    assert town.do("carol", FeedPrice(0, 5 * RM)) == ""
    assert last_price(town.state) is None
    assert town.do("mmu", FeedPrice(0, 5 * RM)) == ""
    assert last_price(town.state) == 5 * RM


def test_the_price_moves_at_most_a_step_a_day(town):
    feed(town, *[10 * RM] * 3)
    for _ in range(3):
        feed(town, *[20 * RM] * 3)
    assert last_price(town.state) == 10_500_000
    feed(town, *[1] * 3)
    assert last_price(town.state) == 9_975_000
    town.time_ms += DAY_MS + HOUR_MS
    feed(town, *[20 * RM] * 3)
    assert last_price(town.state) == 10_473_750
    town.close()


def test_no_hour_of_the_day_lets_it_move_further(town):
    """Whoever feeds what, whenever: of 24 hours no two prices are more than a step apart."""
    told = random.Random(5)
    feed(town, *[10 * RM] * 3)
    seen = [(town.time_ms, last_price(town.state))]
    for _ in range(60):
        town.time_ms += told.choice((1, HOUR_MS // 2, 7 * HOUR_MS, DAY_MS - 1))
        feed(town, *[told.choice((1, 20 * RM, 10 * RM))] * 3)
        # What was the price until now was so at this time too.
        lately = [seen[-1][1], *(p for when, p in seen if town.time_ms - when <= DAY_MS)]
        price = last_price(town.state)
        assert 100 * price >= 95 * max(lately)
        assert 100 * price <= 105 * min(lately)
        seen.append((town.time_ms, price))
    assert len({price for _, price in seen}) > 10
    town.close()


def test_a_round_ends_within_the_bounds_that_are_told_before_it_and_reaches_both(town):
    told = random.Random(6)
    feed(town, *[10 * RM] * 3)
    for value in (1, 900 * RM, 900 * RM, 1, 1, 900 * RM):
        town.time_ms += told.choice((1, HOUR_MS, DAY_MS + HOUR_MS))
        rules = town.dairy.genesis.parameters.price
        low, high = next_bounds(PRICE.get(town.state), rules, town.time_ms)
        feed(town, *[value] * 3)
        assert last_price(town.state) == (low if value == 1 else high)


def test_the_least_step_moves_the_least_price(town):
    town = Town(price={"floor": 10_000, "day_step_bp": 1})
    grant_role(town.state, Role.ORACLE, town.address("alice"))
    feed(town, 10_000)
    feed(town, 20_000)
    assert last_price(town.state) == 10_001


def test_a_step_made_less_holds_the_price_where_it_is(town):
    feed(town, *[10 * RM] * 3)
    feed(town, *[20 * RM] * 3)
    assert town.do("regulator", SetParameter("price.day_step_bp", 100, town.height + 2)) == ""
    feed(town, *[1] * 3)
    assert last_price(town.state) == 10_500_000
    town.close()


def test_an_old_feed_has_no_say(town):
    feed(town, *[10 * RM] * 3)
    feed(town, 10 * RM, 10 * RM)
    town.time_ms += 2 * DAY_MS + 1
    assert town.do("carol", FeedPrice(1, 10 * RM)) == ""
    assert PRICE.get(town.state).updated_ms < town.time_ms
    assert [feed.feeder for feed in PRICE.get(town.state).feeds] == [town.address("carol")]
    assert town.do("alice", FeedPrice(1, 10 * RM)) == ""
    assert town.do("alice", FeedPrice(1, 10 * RM)) == "fed_already"
    assert town.do("bob", FeedPrice(1, 10 * RM)) == ""
    assert PRICE.get(town.state).updated_ms == town.time_ms
    town.close()


def test_a_round_closes_when_its_quorum_comes_of_a_role_that_is_lost(town):
    for name in ("mmu", "regulator", "farm-0"):
        assert town.do("regulator", GrantRole(Role.ORACLE, town.address(name))) == ""
    assert feed(town, *[10 * RM] * 4) == [""] * 4
    assert last_price(town.state) is None
    for name in ("mmu", "regulator", "farm-0"):
        assert town.do("regulator", RevokeRole(Role.ORACLE, town.address(name))) == ""
    assert last_price(town.state) == 10 * RM
    assert PRICE.get(town.state).round == 1
    town.close()


def test_floor_and_ceiling_bound_the_price(town):
    feed(town, 1, 1, 1)
    assert last_price(town.state) == RM
    feed(town, 1, 1, 1)
    assert last_price(town.state) == RM
    town = Town(price={"floor": 2 * RM, "ceiling": 3 * RM})
    grant_role(town.state, Role.ORACLE, town.address("alice"))
    feed(town, 900 * RM)
    assert last_price(town.state) == 3 * RM


def test_outside_of_a_development_network_there_are_four_feeders_at_least():
    town = Town(development=False)
    for name in FEEDERS[:3]:
        grant_role(town.state, Role.ORACLE, town.address(name))
    assert town.do("alice", FeedPrice(0, RM)) == "too_few_feeders"


def held(town):
    return [town.units(f"farm-{i}") for i in range(3)]


def priced(town):
    feed(town, *[5 * RM] * 3)
    assert town.do("alice", SetSubsidy(RM, bill(100))) == "role_missing"
    assert town.do("treasury", SetSubsidy(RM, bill(100))) == ""


def test_a_mint_pays_its_farmers_the_rate_at_the_price(town):
    priced(town)
    town.do("treasury", FundSubsidy(bill(50)))
    town.make_lot()
    # A ringgit a litre at five ringgits a litre: a fifth of a token a litre, beside the 90 %.
    assert held(town) == [bill(36) + bill(8), 31_500_000 + bill(7), 22_500_000 + bill(5)]
    assert account(town.state, SUBSIDY_ACCOUNT).units == bill(30)
    town.close()


def test_a_short_pool_pays_in_order_as_it_is_funded(town):
    priced(town)
    town.make_lot()
    before = held(town)
    state = SUBSIDY.get(town.state)
    assert (state.head, state.tail) == (0, 3)
    assert town.do("alice", FundSubsidy(0)) == "zero_units"
    assert town.do("alice", FundSubsidy(bill(10))) == ""
    # The claims of one mint stand in the order of their farms' addresses.
    first, second, third = sorted(range(3), key=lambda i: town.address(f"farm-{i}"))
    paid, owed = [held(town)[i] - before[i] for i in range(3)], [bill(8), bill(7), bill(5)]
    assert paid[first] == owed[first]
    assert (paid[second], paid[third]) == (bill(10) - owed[first], 0)
    assert town.do("alice", FundSubsidy(bill(100))) == ""
    assert sum(held(town)) - sum(before) == bill(20)
    assert SUBSIDY.get(town.state).head == 3
    assert town.do("alice", FundSubsidy(bill(10_000))) == "insufficient_funds"
    town.close()


def test_a_farm_claims_at_most_its_cap_a_month(town):
    feed(town, *[5 * RM] * 3)
    town.do("treasury", SetSubsidy(RM, bill(6)))
    town.do("treasury", FundSubsidy(bill(100)))
    town.make_lot()
    assert SUBSIDY.get(town.state).paid_units == bill(6) + bill(6) + bill(5)
    town.make_lot()
    assert SUBSIDY.get(town.state).paid_units == bill(18)
    town.time_ms += MONTH_MS
    assert (town.time_ms - HOUR_MS) // MONTH_MS > (town.time_ms - MONTH_MS) // MONTH_MS
    town.close()


def test_only_licensed_farmers_are_subsidized_and_only_at_a_price(town):
    town.do("treasury", SetSubsidy(RM, bill(100)))
    town.do("treasury", FundSubsidy(bill(100)))
    town.make_lot()
    assert SUBSIDY.get(town.state).paid_units == 0
    feed(town, *[5 * RM] * 3)
    revoke_role(town.state, Role.FARMER, town.address("farm-0"))
    town.make_lot()
    assert SUBSIDY.get(town.state).paid_units == bill(12)
    town.close()
