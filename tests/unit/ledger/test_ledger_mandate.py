"""One charge a mandate and period, under its caps, and never more than the payer has."""

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.hashing import Domain
from ledger.rules.context import Call
from ledger.state.records import Role
from ledger.state.tables import MANDATES, account, grant_role, revoke_role
from ledger.types.mandate import CancelMandate, ChargeMandate, GrantMandate, PriceMode
from ledger.types.price import FeedPrice
from ledger.types.transfer import Redemption
from tests.support.ledger.dairy import FEE, NOW_MS, bill
from tests.support.ledger.town import Town

NONE = bytes(32)
SHOP = Town.address("bob")
# Two litres a day at one and a half tokens a litre.
FIXED = GrantMandate(
    SHOP, DAY_MS, bill(2), PriceMode.FIXED, 1_500_000, bill(5), bill(7), NOW_MS + 30 * DAY_MS
)


@pytest.fixture
def town():
    town = Town()
    grant_role(town.state, Role.MERCHANT, SHOP)
    return town


def granted(town, body=FIXED):
    assert town.do("alice", body) == ""
    nonce = account(town.state, town.address("alice")).nonce - 1
    return Call(town.address("alice"), nonce, 0).name(Domain.MANDATE)


def charge(town, mandate, redeem=None, who="bob"):
    return town.do(who, ChargeMandate(mandate, NONE, redeem))


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
    small = granted(town, replace(FIXED, charge_units_max=bill(3) - 1))
    assert charge(town, small) == "over_charge_cap"
    town.close()


def test_a_payer_is_never_overdrawn_and_its_period_stays_open(town):
    mandate = granted(town)
    town.do("alice", town.dairy.pay(town.address("carol"), town.units("alice") - bill(1)))
    assert charge(town, mandate) == "insufficient_funds"
    town.do("carol", town.dairy.pay(town.address("alice"), bill(10)))
    assert charge(town, mandate) == ""
    town.close()


def test_market_price_follows_the_oracle_and_stops_when_it_is_stale(town):
    # Three ringgits a litre, whatever a token is worth.
    market = granted(town, replace(FIXED, mode=PriceMode.MARKET, price=3_000_000))
    fixed = granted(town)
    assert charge(town, market) == "no_price"
    grant_role(town.state, Role.ORACLE, town.address("carol"))
    town.do("carol", FeedPrice(0, 6_000_000))
    before = town.units("alice")
    assert charge(town, market) == ""
    assert before - town.units("alice") == bill(1)
    town.time_ms += 49 * HOUR_MS
    assert charge(town, market) == "stale_price"
    assert charge(town, fixed) == ""
    town.close()


def test_a_charge_sells_milk_as_a_payment_does(town):
    mandate, lot = granted(town), town.dairy.genesis.stock[0].lot_id()
    assert charge(town, mandate, Redemption(lot, bill(4))) == "redeems_too_much"
    assert charge(town, mandate, Redemption(lot, 0)) == "zero_units"
    assert charge(town, mandate, Redemption(NONE, 1)) == "unknown_lot"
    before = town.units("bob")
    assert charge(town, mandate, Redemption(lot, bill(2))) == ""
    assert town.units("bob") - before == bill(1) - FEE
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
    assert town.do("alice", FIXED) == "role_missing"


def test_a_mandate_ends(town):
    assert town.do("alice", replace(FIXED, milk_units=0)) == "zero_units"
    assert town.do("alice", replace(FIXED, end_ms=NOW_MS)) == "mandate_over"
    mandate = granted(town)
    town.time_ms = FIXED.end_ms
    assert charge(town, mandate) == "mandate_over"


def test_a_charge_of_nothing_is_none(town):
    tiny = granted(town, replace(FIXED, milk_units=1, price=1))
    assert charge(town, tiny) == "zero_units"
