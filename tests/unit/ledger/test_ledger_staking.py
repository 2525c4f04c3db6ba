"""Stake goes in and comes out whole; rewards are shared to the last part of a unit."""

import pytest
from msgspec.structs import replace

from ledger.primitives.keys import PublicKey
from ledger.rules.epochs import committee_of, epoch_of, is_boundary
from ledger.rules.staking import held_stake
from ledger.state.names import epoch_name
from ledger.state.tables import (
    ATTESTORS_ACCOUNT,
    REGISTER,
    STAKE_ACCOUNT,
    UNBONDING,
    VALIDATORS,
    account,
)
from ledger.transition import apply_block
from ledger.types.staking import Bond, ClaimRewards, ClaimUnbonded, Unbond, Unjail
from tests.support.ledger.dairy import FEE, Dairy, bill, key
from tests.support.ledger.town import PURSES, Town, parameters

SHORT = {"epoch_blocks": 10, "unbonding_epochs": 4, "evidence_epochs": 2, "jail_epochs": 2}
NEW = key("vote-new").public
OLD = key("validator-0").public


@pytest.fixture
def town():
    return Town(staking=SHORT)


def stand(town, commission_bp=1_000):
    assert town.do("alice", town.registration("alice", commission_bp=commission_bp)) == ""
    assert town.do("alice", Bond(NEW, bill(100))) == ""


def test_epochs_are_stretches_of_heights():
    assert [epoch_of(h, 10) for h in (0, 1, 10, 11, 20, 21)] == [0, 0, 0, 1, 1, 2]
    assert [h for h in range(31) if is_boundary(h, 10)] == [10, 20, 30]


def test_a_newcomer_is_seated_two_epochs_after_the_boundary_that_saw_its_stake(town):
    stand(town)
    assert [committee_of(town.state, e) is None for e in (-1, 0, 1, 2)] == [
        True,
        False,
        False,
        True,
    ]
    town.to_epoch(1)
    assert committee_of(town.state, 1).seat(NEW) is None
    assert committee_of(town.state, 2).seat(NEW).stake == bill(100)
    keys = [seat.key for seat in committee_of(town.state, 2).seats]
    assert keys == sorted(keys)
    town.close()


def test_the_committee_takes_those_with_most_stake(town):
    town = Town(staking={**SHORT, "committee_max": 3, "stake_least_units": bill(50)})
    stand(town)
    town.do("bob", Bond(OLD, bill(1)))
    town.to_epoch(1)
    seats = committee_of(town.state, 2).seats
    assert len(seats) == 3
    assert committee_of(town.state, 2).seat(OLD).stake == bill(101)
    least = min(key(n).public for n in ("validator-1", "validator-2", "validator-3", "vote-new"))
    assert committee_of(town.state, 2).seat(least) is not None


@pytest.mark.parametrize(
    ("who", "change", "code"),
    [
        ("alice", {"vote_key": OLD}, "known_validator"),
        ("owner-1", {}, "known_owner"),
        ("alice", {"vote_key": PublicKey(bytes(32))}, "unsound_key"),
        ("alice", {"vrf_key": PublicKey(b"\1" + bytes(31))}, "unsound_key"),
    ],
)
def test_who_may_not_register(town, who, change, code):
    town.state.root()
    town.do("alice", town.dairy.pay(town.address("owner-1"), bill(1)))
    body = replace(town.registration(who), **change)
    transaction = town.dairy.next(town.state, body, key(who))
    outcome = apply_block(town.state, town.dairy.context(), [transaction])
    assert outcome.receipts[0].code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (Bond(OLD, 0), "zero_units"),
        (Bond(key("nobody").public, 1), "unknown_validator"),
        (Bond(OLD, bill(10_000)), "insufficient_funds"),
        (Unbond(OLD, 0), "zero_units"),
        (Unbond(OLD, 1), "short_stake"),
        (ClaimRewards(OLD), "no_rewards"),
        (ClaimRewards(key("nobody").public), "unknown_validator"),
        (ClaimUnbonded(OLD, 0), "nothing_unbonded"),
        (Unjail(OLD), "foreign_validator"),
    ],
)
def test_what_staking_refuses(town, body, code):
    assert town.do("alice", body) == code
    town.close()


def test_what_is_unbonded_comes_back_whole_when_it_is_mature(town):
    stand(town)
    before = town.units("bob")
    assert town.do("bob", Bond(NEW, bill(30))) == ""
    assert held_stake(town.state, NEW, town.address("bob")) == bill(30)
    assert town.do("bob", Unbond(NEW, bill(10))) == ""
    assert town.do("bob", Unbond(NEW, bill(20))) == ""
    assert held_stake(town.state, NEW, town.address("bob")) == 0
    assert UNBONDING.get(town.state, NEW + epoch_name(0)).units == bill(30)
    assert town.do("bob", ClaimUnbonded(NEW, 0)) == "immature"
    town.to_epoch(4)
    assert town.do("bob", ClaimUnbonded(NEW, 0)) == ""
    assert town.units("bob") == before - 5 * FEE
    assert UNBONDING.get(town.state, NEW + epoch_name(0)) is None
    assert account(town.state, STAKE_ACCOUNT).units == bill(500)
    town.close()


def test_who_has_nothing_at_stake_keeps_nobody_from_standing(town, monkeypatch):
    monkeypatch.setattr("ledger.rules.staking.VALIDATORS_REGISTERED_MAX", 5)
    monkeypatch.setattr("ledger.invariants.stake.VALIDATORS_REGISTERED_MAX", 5)
    for name in ("bob", "carol", "treasury"):
        assert town.do(name, town.registration(name, f"squat-{name}")) == ""
    assert len(REGISTER.get(town.state).keys) == 4
    assert town.do("bob", Bond(key("vote-squat-bob").public, 1)) == ""
    # Five stand. Who has more stake than the least of them comes in its place.
    assert town.do("carol", Bond(key("vote-squat-carol").public, 1)) == ""
    assert key("vote-squat-carol").public not in REGISTER.get(town.state).keys
    stand(town)
    keys = REGISTER.get(town.state).keys
    assert len(keys) == 5
    assert NEW in keys
    assert key("vote-squat-bob").public not in keys
    town.to_epoch(1)
    assert committee_of(town.state, 2).seat(NEW).stake == bill(100)
    town.do("bob", Bond(key("vote-squat-bob").public, bill(101)))
    assert key("vote-squat-bob").public in REGISTER.get(town.state).keys
    town.close()


def test_the_least_stake_is_looked_for_in_vain_once_an_epoch(town, monkeypatch):
    monkeypatch.setattr("ledger.rules.staking.VALIDATORS_REGISTERED_MAX", 4)
    monkeypatch.setattr("ledger.invariants.stake.VALIDATORS_REGISTERED_MAX", 4)
    outsider = key("vote-squat-bob").public
    assert town.do("bob", town.registration("bob", "squat-bob")) == ""
    assert town.do("bob", Bond(outsider, bill(1))) == ""
    found = REGISTER.get(town.state)
    assert (found.least_units, found.epoch) == (bill(100), 0)
    # Whoever stands has less now, but who does not stand hears of it in the next epoch.
    assert town.do("owner-0", Unbond(OLD, bill(99))) == ""
    assert town.do("bob", Bond(outsider, bill(1))) == ""
    assert REGISTER.get(town.state) == found
    town.to_epoch(1)
    assert town.do("bob", Bond(outsider, bill(1))) == ""
    assert outsider in REGISTER.get(town.state).keys
    assert OLD not in REGISTER.get(town.state).keys
    town.close()


def test_stake_that_left_votes_no_more_two_epochs_later(town):
    stand(town)
    town.to_epoch(1)
    town.do("alice", Unbond(NEW, bill(100)))
    town.to_epoch(2)
    assert committee_of(town.state, 2).seat(NEW).stake == bill(100)
    assert committee_of(town.state, 3).seat(NEW) is None
    town.close()


def test_fees_are_shared_by_stake_after_the_commission(town):
    stand(town)
    town.do("bob", Bond(NEW, bill(300)))
    owner, delegator = town.units("alice"), town.units("bob")
    body = town.dairy.pay(town.address("carol"), 1)
    transaction = town.dairy.transaction(body, key("carol"), 0, fee=4_001)
    town.blocks([transaction], proposer="alice")
    # 3000.75 are the delegator's, floored; a tenth of them is commission; the owner has the rest.
    assert town.units("alice") - owner == 4_001 - 2_700
    assert town.do("bob", ClaimRewards(NEW)) == ""
    assert town.units("bob") - delegator == 2_699 - FEE
    # A share's part is floored at 2^-64 of a unit; what is over counts with the next fees.
    assert VALIDATORS.get(town.state, NEW).rewards_units == 1
    assert town.do("bob", ClaimRewards(NEW)) == "no_rewards"
    town.close()


def test_a_delegator_earns_from_its_bond_on_and_no_sooner(town):
    stand(town, commission_bp=0)
    town.do("bob", Bond(NEW, bill(100)))
    pay = town.dairy.pay(town.address("carol"), 1)
    town.blocks([town.dairy.transaction(pay, key("carol"), 0, fee=1_000)], proposer="alice")
    town.do("carol", Bond(NEW, bill(200)))
    town.blocks([town.dairy.transaction(pay, key("carol"), 2, fee=1_000)], proposer="alice")
    validator = VALIDATORS.get(town.state, NEW)
    assert validator.rewards_units == 500 + 750
    before = town.units("bob"), town.units("carol")
    assert town.do("bob", Unbond(NEW, bill(100))) == ""
    assert town.do("carol", Unbond(NEW, bill(200))) == ""
    # Leaving altogether pays what was earned: 500 and a third of 750, and the other two thirds.
    # Fractions of a unit stay, and count with the next fees.
    assert town.units("bob") - before[0] == 749 - FEE
    assert town.units("carol") - before[1] == 500 - FEE
    assert VALIDATORS.get(town.state, NEW).rewards_units == 1
    town.close()


def test_the_levy_is_shared_at_the_boundary(town):
    town.make_lot()
    owners = [town.units(f"owner-{i}") for i in range(4)]
    attestors = [town.units(f"attestor-{i}") for i in range(4)]
    town.to_epoch(1)
    assert [town.units(f"owner-{i}") - owners[i] for i in range(4)] == [300_000] * 4
    assert [town.units(f"attestor-{i}") - attestors[i] for i in range(4)] == [200_000] * 4
    town.close()


def test_who_bonds_in_the_last_block_has_no_part_in_what_came_before(town):
    town.do("bob", Bond(OLD, bill(100)))
    town.make_lot()
    town.wait(9 - town.height)
    assert town.do("carol", Bond(OLD, bill(900)), proposer="alice") == ""
    assert town.height == 10
    before = town.units("bob"), town.units("carol")
    assert town.do("bob", ClaimRewards(OLD)) == ""
    # The validator's quarter of 1.2 BILL, and a share of the fees in its blocks since.
    assert town.units("bob") - before[0] + FEE >= 150_000
    assert town.do("carol", ClaimRewards(OLD)) in {"", "no_rewards"}
    assert town.units("carol") - before[1] <= FEE
    town.close()


def test_attestors_are_paid_alike_whoever_signed_and_the_remainder_waits():
    town = Town(Dairy(attestors=5, parameters=parameters(staking=SHORT), balances=PURSES))
    for sender, body in town.milking.next([bill(99) + 1_000], signers=4).steps:
        assert town.do(sender, body) == ""
    levy = account(town.state, ATTESTORS_ACCOUNT).units
    each, rest = divmod(levy, 5)
    assert rest
    before = [town.units(f"attestor-{i}") for i in range(5)]
    town.to_epoch(1)
    assert [town.units(f"attestor-{i}") - before[i] for i in range(5)] == [each] * 5
    assert account(town.state, ATTESTORS_ACCOUNT).units == rest
    town.close()


def test_a_chain_never_goes_without_validators():
    town = Town(staking={**SHORT, "stake_least_units": bill(10_000)})
    town.to_epoch(2)
    assert committee_of(town.state, 3) == committee_of(town.state, 1)


def test_committees_are_kept_as_long_as_their_faults_are_punishable(town):
    town.to_epoch(5)
    kept = [epoch for epoch in range(9) if committee_of(town.state, epoch)]
    assert kept == [3, 4, 5, 6]
