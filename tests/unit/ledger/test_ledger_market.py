"""Escrow holds a deal's price until someone entitled releases it, and never a unit more."""

import pytest

from ledger.params import DAY_MS, HOUR_MS
from ledger.primitives.amounts import UNITS_MAX
from ledger.primitives.hashing import Domain
from ledger.rules.context import Call
from ledger.state.records import Role
from ledger.state.tables import DEALS, ESCROW_ACCOUNT, OFFERS, account, grant_role
from ledger.types.market import (
    AcceptOffer,
    ConfirmDelivery,
    DisputeOffer,
    OfferService,
    RuleDispute,
    ServiceKind,
)
from ledger.types.registry import FreezeAccount
from tests.support.ledger.dairy import FEE, NOW_MS, bill
from tests.support.ledger.town import Town

NONE = bytes(32)
OFFER = OfferService(ServiceKind.FEED, bill(10), 5, NOW_MS + DAY_MS, NONE)


def named(town, who, domain):
    """What the last transaction of someone made."""
    nonce = account(town.state, town.address(who)).nonce - 1
    return Call(town.address(who), nonce, 0).name(domain)


@pytest.fixture
def town():
    town = Town()
    grant_role(town.state, Role.MERCHANT, town.address("bob"))
    grant_role(town.state, Role.ARBITER, town.address("carol"))
    assert town.do("bob", OFFER) == ""
    return town


def deal_of(town, quantity=2):
    offer = named(town, "bob", Domain.OFFER)
    assert town.do("alice", AcceptOffer(offer, quantity)) == ""
    return named(town, "alice", Domain.DEAL)


def test_a_buyer_confirms_and_the_seller_is_paid(town):
    deal, before = deal_of(town), town.units("bob")
    assert account(town.state, ESCROW_ACCOUNT).units == bill(20)
    assert town.do("carol", ConfirmDelivery(deal)) == "foreign_deal"
    assert town.do("alice", ConfirmDelivery(deal)) == ""
    assert town.units("bob") - before == bill(20)
    assert account(town.state, ESCROW_ACCOUNT).units == 0
    assert town.do("alice", ConfirmDelivery(deal)) == "unknown_deal"
    town.close()


def test_a_seller_takes_the_escrow_after_three_days(town):
    deal = deal_of(town)
    town.time_ms += 72 * HOUR_MS - 1
    assert town.do("bob", ConfirmDelivery(deal)) == "not_yet_released"
    town.time_ms += 1
    assert town.do("bob", ConfirmDelivery(deal)) == ""
    town.close()


def test_a_seller_waits_for_a_frozen_buyer_who_could_not_dispute(town):
    deal, alice = deal_of(town), town.address("alice")
    assert town.do("regulator", FreezeAccount(alice, True)) == ""
    town.time_ms += 72 * HOUR_MS
    assert town.do("bob", ConfirmDelivery(deal)) == "buyer_frozen"
    assert town.do("regulator", FreezeAccount(alice, False)) == ""
    assert town.do("bob", ConfirmDelivery(deal)) == ""
    town.close()


def test_an_arbiter_shares_a_disputed_escrow(town):
    deal = deal_of(town)
    before = town.units("alice"), town.units("bob")
    assert town.do("carol", RuleDispute(deal, 0)) == "deal_undisputed"
    assert town.do("bob", DisputeOffer(deal, NONE)) == "foreign_deal"
    assert town.do("alice", DisputeOffer(deal, NONE)) == ""
    assert town.do("alice", DisputeOffer(deal, NONE)) == "deal_disputed"
    town.time_ms += 4 * DAY_MS
    assert town.do("bob", ConfirmDelivery(deal)) == "deal_disputed"
    assert town.do("alice", RuleDispute(deal, 0)) == "role_missing"
    assert town.do("carol", RuleDispute(deal, bill(21))) == "ruling_over_deal"
    assert town.do("carol", RuleDispute(deal, bill(15))) == ""
    assert town.units("alice") - before[0] == bill(15) - 3 * FEE
    assert town.units("bob") - before[1] == bill(5) - 2 * FEE
    town.close()


def test_a_buyer_may_give_up_a_dispute(town):
    deal = deal_of(town)
    town.do("alice", DisputeOffer(deal, NONE))
    assert town.do("alice", ConfirmDelivery(deal)) == ""
    assert DEALS.get(town.state, deal) is None


def test_an_offer_is_sold_as_often_as_it_says(town):
    offer = named(town, "bob", Domain.OFFER)
    assert town.do("alice", AcceptOffer(offer, 6)) == "short_offer"
    assert town.do("bob", AcceptOffer(offer, 1)) == "own_offer"
    assert town.do("alice", AcceptOffer(offer, 3)) == ""
    assert OFFERS.get(town.state, offer).left == 2
    assert town.do("carol", AcceptOffer(offer, 2)) == ""
    assert town.do("carol", AcceptOffer(offer, 1)) == "unknown_offer"
    town.close()


def test_what_may_not_be_offered_or_taken(town):
    assert town.do("alice", OFFER) == "role_missing"
    dear = OfferService(ServiceKind.OTHER, UNITS_MAX, 2, NOW_MS + DAY_MS, NONE)
    free = OfferService(ServiceKind.OTHER, 0, 2, NOW_MS + DAY_MS, NONE)
    assert town.do("bob", free) == "zero_units"
    assert town.do("bob", dear) == ""
    offer = named(town, "bob", Domain.OFFER)
    assert town.do("alice", AcceptOffer(offer, 2)) == "dear_deal"
    assert town.do("alice", AcceptOffer(offer, 1)) == "insufficient_funds"
    town.time_ms += DAY_MS
    assert town.do("alice", AcceptOffer(offer, 1)) == "offer_over"
    assert town.do("bob", OFFER) == "offer_over"
    town.close()
