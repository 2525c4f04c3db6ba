"""Nothing leaves a frozen account, not even a fee; what is paid to it arrives."""

import pytest

from ledger.errors.base import SenderFrozen
from ledger.params import DAY_MS
from ledger.primitives.hashing import Domain
from ledger.rules.context import Call
from ledger.state.records import Role
from ledger.state.tables import MANDATES, STAKE_ACCOUNT, account, grant_role
from ledger.transition import check_transaction
from ledger.types.mandate import ChargeMandate, GrantMandate, PriceMode
from ledger.types.registry import FreezeAccount
from ledger.types.staking import Bond
from tests.support.ledger.dairy import FEE, NOW_MS, bill, key
from tests.support.ledger.town import Town

ALICE, BOB, REGULATOR = (Town.address(name) for name in ("alice", "bob", "regulator"))
NONE = bytes(32)
VALIDATOR = key("validator-0").public


@pytest.fixture
def town():
    return Town()


def freeze(town, address=ALICE, frozen=True, who="regulator"):
    return town.do(who, FreezeAccount(address, frozen))


def test_a_frozen_sender_is_refused_at_the_door_and_in_every_block(town):
    assert freeze(town) == ""
    held = town.units("alice")
    payment = town.dairy.next(town.state, town.dairy.pay(BOB, 5), key("alice"))
    with pytest.raises(SenderFrozen) as refused:
        check_transaction(town.state, payment, town.height + 1)
    assert refused.value.numbers == {"address": ALICE.hex()}
    with pytest.raises(SenderFrozen):
        town.do("alice", town.dairy.pay(BOB, 5))
    assert town.units("alice") == held


def test_a_frozen_account_is_paid_and_acts_again_once_it_is_thawed(town):
    freeze(town)
    held = town.units("alice")
    assert town.do("bob", town.dairy.pay(ALICE, bill(1))) == ""
    assert town.units("alice") == held + bill(1)
    assert account(town.state, ALICE).frozen
    assert freeze(town, frozen=False) == ""
    assert town.do("alice", town.dairy.pay(BOB, bill(1))) == ""
    assert town.units("alice") == held - FEE
    town.close()


def test_an_account_that_nobody_has_used_can_be_frozen(town):
    nobody = town.address("nobody")
    assert freeze(town, nobody) == ""
    assert town.do("bob", town.dairy.pay(nobody, bill(1))) == ""
    with pytest.raises(SenderFrozen):
        town.do("nobody", town.dairy.pay(BOB, 1))


def test_a_mandate_of_a_frozen_payer_is_not_charged_and_its_period_stays_open(town):
    grant_role(town.state, Role.MERCHANT, BOB)
    body = GrantMandate(
        BOB,
        DAY_MS,
        bill(2),
        PriceMode.TOKENS_A_LITRE,
        1_500_000,
        bill(5),
        bill(7),
        NOW_MS + 9 * DAY_MS,
    )
    nonce = account(town.state, ALICE).nonce
    assert town.do("alice", body) == ""
    mandate = Call(ALICE, nonce, 0).name(Domain.MANDATE)
    freeze(town)
    assert town.do("bob", ChargeMandate(mandate, NONE, ())) == "payer_frozen"
    assert MANDATES.get(town.state, mandate).charges == 0
    freeze(town, frozen=False)
    assert town.do("bob", ChargeMandate(mandate, NONE, ())) == ""


def test_what_a_frozen_account_has_at_stake_stays_and_earns(town):
    assert town.do("alice", Bond(VALIDATOR, bill(50))) == ""
    freeze(town)
    staked = account(town.state, STAKE_ACCOUNT).units
    town.to_epoch(1)
    assert account(town.state, STAKE_ACCOUNT).units == staked
    town.close()


def test_who_may_freeze_whom(town):
    assert freeze(town, who="bob") == "role_missing"
    assert freeze(town, REGULATOR) == "own_account"
    assert freeze(town, STAKE_ACCOUNT) == "closed_account"
    assert not account(town.state, REGULATOR).frozen
