"""What was begun under a licence when the licence is gone, and what nobody would end otherwise."""

import pytest
from msgspec.structs import replace

from ledger.params import DAY_MS
from ledger.primitives.hashing import Domain, digest
from ledger.rules.context import Call
from ledger.rules.subsidy import CLAIMS_PAID_MAX
from ledger.state.market import SubsidyClaim
from ledger.state.names import epoch_name
from ledger.state.records import Role
from ledger.state.tables import (
    CLAIMS,
    DEALS,
    ESCROW_ACCOUNT,
    LOTS,
    MANDATES,
    MMUS,
    SUBSIDY,
    account,
    grant_role,
    revoke_role,
)
from ledger.types.mandate import CancelMandate, GrantMandate, PriceMode
from ledger.types.market import AcceptOffer, DisputeOffer, OfferService, RuleDispute, ServiceKind
from ledger.types.milk import LossReason, PackLot, PostBond, WriteOff
from ledger.types.price import FeedPrice, FundSubsidy, SetSubsidy
from tests.support.ledger.dairy import FEE, NOW_MS, Dairy, bill
from tests.support.ledger.town import PURSES, Town, parameters

OFFER = OfferService(ServiceKind.FEED, bill(10), 5, NOW_MS + DAY_MS, bytes(32))
MMU = Town.address("mmu")


@pytest.fixture
def town():
    rules = parameters(mmu_bond_least_units=bill(1), bond_bp=1)
    town = Town(Dairy(parameters=rules, balances=PURSES, bond=bill(1)))
    grant_role(town.state, Role.MERCHANT, town.address("bob"))
    return town


def named(town, who, domain):
    nonce = account(town.state, town.address(who)).nonce - 1
    return Call(town.address(who), nonce, 0).name(domain)


def deal_of(town):
    assert town.do("bob", OFFER) == ""
    assert town.do("alice", AcceptOffer(named(town, "bob", Domain.OFFER), 2)) == ""
    return named(town, "alice", Domain.DEAL)


def test_nobody_buys_of_a_merchant_who_is_one_no_more(town):
    assert town.do("bob", OFFER) == ""
    revoke_role(town.state, Role.MERCHANT, town.address("bob"))
    assert town.do("alice", AcceptOffer(named(town, "bob", Domain.OFFER), 1)) == "role_missing"


def test_who_is_no_mmu_any_more_packs_nothing_and_still_pays_its_debts(town):
    lot = town.make_lot()
    revoke_role(town.state, Role.MMU, MMU)
    assert town.do("mmu", PackLot(lot, 1, bill(1))) == "role_missing"
    assert town.do("mmu", PostBond(bill(1))) == "role_missing"
    town.time_ms = LOTS.get(town.state, lot).expires_ms + 2 * DAY_MS
    assert town.do("mmu", WriteOff(lot, bill(50), LossReason.EXPIRED)) == ""
    owed = MMUS.get(town.state, MMU).deficit_units
    assert owed > 0
    assert town.do("mmu", PostBond(owed)) == ""
    assert MMUS.get(town.state, MMU).deficit_units == 0
    town.close()


def test_a_seller_may_give_everything_back_where_no_arbiter_rules(town):
    deal, before = deal_of(town), town.units("alice")
    assert town.do("bob", RuleDispute(deal, bill(20) - 1)) == "role_missing"
    assert town.do("alice", RuleDispute(deal, bill(20))) == "role_missing"
    town.do("alice", DisputeOffer(deal, digest(Domain.DEAL, b"none came")))
    assert town.do("bob", RuleDispute(deal, bill(20))) == ""
    assert town.units("alice") == before + bill(20) - 2 * FEE
    assert account(town.state, ESCROW_ACCOUNT).units == 0
    assert DEALS.get(town.state, deal) is None
    town.close()


def test_a_mandate_that_is_over_is_cleared_away_by_anyone(town):
    body = GrantMandate(
        town.address("bob"), DAY_MS, bill(2), PriceMode.TOKENS_A_LITRE, 1_500_000, bill(5), bill(7),
        NOW_MS + DAY_MS,
    )  # fmt: skip
    assert town.do("alice", body) == ""
    mandate = named(town, "alice", Domain.MANDATE)
    town.time_ms = body.end_ms - 1
    assert town.do("carol", CancelMandate(mandate)) == "foreign_mandate"
    town.time_ms = body.end_ms
    assert town.do("carol", CancelMandate(mandate)) == ""
    assert MANDATES.get(town.state, mandate) is None
    town.close()


def test_a_queue_of_claims_is_paid_block_by_block_once_there_is_money(town):
    waiting, farm = 2 * CLAIMS_PAID_MAX + 5, town.address("farm-0")
    grant_role(town.state, Role.TREASURY, town.address("treasury"))
    grant_role(town.state, Role.ORACLE, town.address("alice"))
    assert town.do("treasury", SetSubsidy(1_000_000, bill(100))) == ""
    assert town.do("alice", FeedPrice(0, 1_000_000)) == ""
    for number in range(waiting):
        CLAIMS.put(town.state, SubsidyClaim(farm, bill(1)), epoch_name(number))
    queue = replace(SUBSIDY.get(town.state), tail=waiting, claimed_units=bill(waiting))
    SUBSIDY.put(town.state, queue)
    assert town.do("treasury", FundSubsidy(bill(waiting))) == ""
    paid = []
    for _ in range(3):
        paid.append(town.units("farm-0") // bill(1))
        town.wait(1)
    assert paid == [CLAIMS_PAID_MAX, 2 * CLAIMS_PAID_MAX, waiting]
    assert SUBSIDY.get(town.state).head == waiting
    town.close()
