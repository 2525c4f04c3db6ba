"""One charge a mandate and period, under its caps, and never more than the payer has."""

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.hashing import Domain
from ledger.rules.context import Call
from ledger.state.market import Price
from ledger.state.records import Role
from ledger.state.tables import LOTS, MANDATES, PRICE, account, grant_role, revoke_role
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate, PriceMode
from ledger.types.price import FeedPrice
from ledger.types.transfer import Redemption
from tests.support.ledger.dairy import FEE, NOW_MS, bill
from tests.support.ledger.town import Town

NONE = bytes(32)
SHOP = Town.address("bob")
# Two litres a day at one and a half tokens a litre.
IN_TOKENS = GrantMandate(
    SHOP, DAY_MS, bill(2), PriceMode.TOKENS_A_LITRE, 1_500_000, bill(5), bill(7),
    NOW_MS + 30 * DAY_MS,
)  # fmt: skip
# Two litres a day at three ringgit a litre, whatever a token is worth.
IN_RINGGIT = replace(IN_TOKENS, mode=PriceMode.RINGGIT_A_LITRE, price=3_000_000)


@pytest.fixture
def town():
    town = Town()
    grant_role(town.state, Role.MERCHANT, SHOP)
    return town


def granted(town, body=IN_TOKENS):
    assert town.do("alice", body) == ""
    nonce = account(town.state, town.address("alice")).nonce - 1
    return Call(town.address("alice"), nonce, 0).name(Domain.MANDATE)


def charge(town, mandate, *redeem, who="bob"):
    basket = tuple(Redemption(lot, units) for lot, units in redeem)
    return town.do(who, ChargeMandate(mandate, NONE, basket))


def test_a_merchant_charges_once_a_period(town):
    mandate = granted(town)
    before = town.units("alice"), town.units("bob")
    assert charge(town, mandate) == ""
    assert charge(town, mandate) == "period_charged"
    assert town.units("alice") - before[0] == -bill(3)
    assert town.units("bob") - before[1] == bill(3) - 2 * FEE
    town.time_ms += DAY_MS
    assert charge(town, mandate) == ""
    assert (MANDATES.get(town.state, mandate).charges, town.close().findings) == (2, [])


def test_missed_periods_are_not_charged_later(town):
    mandate = granted(town)
    town.time_ms += 5 * DAY_MS
    assert [charge(town, mandate) for _ in range(2)] == ["", "period_charged"]


def test_caps_hold(town):
    mandate = granted(town)
    for expected in ("", "", "over_total_cap"):
        assert charge(town, mandate) == expected
        town.time_ms += DAY_MS
    small = granted(town, replace(IN_TOKENS, charge_units_max=bill(3) - 1))
    assert charge(town, small) == "over_charge_cap"
    town.close()


def test_a_payer_is_never_overdrawn_and_its_period_stays_open(town):
    mandate = granted(town)
    town.do("alice", town.dairy.pay(town.address("carol"), town.units("alice") - bill(1)))
    assert charge(town, mandate) == "insufficient_funds"
    town.do("carol", town.dairy.pay(town.address("alice"), bill(10)))
    assert charge(town, mandate) == ""
    town.close()


def fed(town, value):
    """Let the one feeder bring the oracle's price there, a step every 25 hours."""
    price = PRICE.get(town.state) or Price()
    while price.value != value:
        town.time_ms += DAY_MS + HOUR_MS
        assert town.do("carol", FeedPrice(price.round, value)) == ""
        price = PRICE.get(town.state)


def charged(town, mandate):
    before = town.units("alice")
    assert charge(town, mandate) == ""
    return before - town.units("alice")


def test_a_price_that_doubles_moves_the_ringgit_of_one_mode_and_the_tokens_of_the_other(town):
    grant_role(town.state, Role.ORACLE, town.address("carol"))
    tokens, ringgit = granted(town, IN_TOKENS), granted(town, IN_RINGGIT)
    fed(town, 3_000_000)
    assert (charged(town, tokens), charged(town, ringgit)) == (bill(3), bill(2))
    fed(town, 6_000_000)
    assert (charged(town, tokens), charged(town, ringgit)) == (bill(3), bill(1))
    town.close()


def test_a_mandate_in_ringgit_stops_while_the_price_is_stale(town):
    ringgit, tokens = granted(town, IN_RINGGIT), granted(town)
    assert charge(town, ringgit) == "no_price"
    grant_role(town.state, Role.ORACLE, town.address("carol"))
    town.do("carol", FeedPrice(0, 6_000_000))
    assert charged(town, ringgit) == bill(1)
    town.time_ms += 49 * HOUR_MS
    assert charge(town, ringgit) == "stale_price"
    assert charge(town, tokens) == ""
    town.close()


def test_a_charge_sells_milk_as_a_payment_does(town):
    mandate, lot = granted(town), town.dairy.genesis.stock[0].lot_id()
    assert charge(town, mandate, (lot, bill(4))) == "redeems_too_much"
    assert charge(town, mandate, (lot, 0)) == "zero_units"
    assert charge(town, mandate, (NONE, 1)) == "unknown_lot"
    before = town.units("bob")
    assert charge(town, mandate, (lot, bill(2))) == ""
    assert town.units("bob") - before == bill(1) - FEE
    town.close()


def test_a_charge_buys_a_basket_whole_or_not_at_all(town):
    mandate = granted(town)
    first, second = sorted(town.make_lot() for _ in range(2))
    assert charge(town, mandate, (second, 1), (first, 1)) == "unordered_basket"
    assert charge(town, mandate, (first, bill(2)), (second, bill(2))) == "redeems_too_much"
    assert LOTS.get(town.state, first).remaining_units == bill(100)
    before = town.units("alice"), town.units("bob")
    assert charge(town, mandate, (first, bill(1)), (second, bill(2))) == ""
    assert (before[0] - town.units("alice"), before[1] - town.units("bob")) == (bill(3), FEE)
    left = [LOTS.get(town.state, lot).remaining_units for lot in (first, second)]
    assert left == [bill(99), bill(98)]
    town.close()


def test_who_may_do_what_with_a_mandate(town):
    mandate = granted(town)
    grant_role(town.state, Role.MERCHANT, town.address("carol"))
    assert charge(town, mandate, who="carol") == "foreign_mandate"
    assert charge(town, NONE) == "unknown_mandate"
    assert town.do("bob", CancelMandate(mandate)) == "foreign_mandate"
    assert town.do("alice", CancelMandate(mandate)) == ""
    assert charge(town, mandate) == "unknown_mandate"
    again = granted(town)
    revoke_role(town.state, Role.MERCHANT, SHOP)
    assert charge(town, again) == "role_missing"
    assert town.do("alice", IN_TOKENS) == "role_missing"


def test_a_mandate_ends(town):
    assert town.do("alice", replace(IN_TOKENS, milk_units=0)) == "zero_units"
    assert town.do("alice", replace(IN_TOKENS, end_ms=NOW_MS)) == "mandate_over"
    mandate = granted(town)
    town.time_ms = IN_TOKENS.end_ms
    assert charge(town, mandate) == "mandate_over"


def test_a_charge_of_nothing_is_none(town):
    tiny = granted(town, replace(IN_TOKENS, milk_units=1, price=1))
    assert charge(town, tiny) == "zero_units"
