"""The four faults cost stake and freedom, once each, and honest pairs of votes never do."""

import itertools

import pytest

from consensus.messages import Subject
from ledger.primitives.hashing import Hash
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from ledger.rules.epochs import committee_of
from ledger.rules.staking import held_stake
from ledger.state.names import epoch_name
from ledger.state.tables import RESERVE_ACCOUNT, SLASHES, UNBONDING, VALIDATORS, account
from ledger.types.staking import Bond, ClaimUnbonded, Unbond, Unjail
from ledger.types.votes import FaultKind, fault_between
from tests.support.ledger.dairy import FEE, bill, key
from tests.support.ledger.town import Town

SHORT = {"epoch_blocks": 10, "unbonding_epochs": 4, "evidence_epochs": 2, "jail_epochs": 2}
CULPRIT = key("validator-0")
N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


@pytest.fixture
def town():
    town = Town(staking=SHORT)
    town.do("alice", town.dairy.pay(town.address("owner-0"), bill(1)))
    return town


@pytest.mark.parametrize(("kind", "byte"), [(N, b"\x01"), (X, b"\x02"), (F, b"\x03")])
def test_a_vote_is_signed_as_the_specification_says(town, kind, byte):
    """Packed by hand, and the same text for the ledger's evidence as for consensus."""
    vote = town.vote(CULPRIT, kind, b"h", epoch=3, view=2**40)
    numbers = byte + (3).to_bytes(8) + (2**40).to_bytes(8) + bytes(8)
    text = b"BILLCOIN/vote/1" + town.dairy.chain_id + numbers + b"h" * 32
    subject = Subject(kind, Epoch(3), View(2**40), View(0), Hash(b"h" * 32))
    assert vote.signing_bytes(town.dairy.chain_id) == text
    assert subject.signing_bytes(town.dairy.chain_id) == text


def test_exactly_four_pairs_are_faults(town):
    found = {}
    for one, other in itertools.product((N, X, F), repeat=2):
        for same in (True, False):
            first = town.vote(CULPRIT, one, b"" if one is X else b"a")
            second = town.vote(CULPRIT, other, b"" if other is X else b"a" if same else b"b")
            found[one.name[:3], other.name[:3], same] = fault_between(first, second)
    faults = {pair: kind for pair, kind in found.items() if kind}
    assert faults == {
        ("NOT", "NOT", False): FaultKind.TWO_NOTARIZED,
        ("FIN", "FIN", False): FaultKind.TWO_FINALIZED,
        ("NOT", "FIN", False): FaultKind.NOTARIZED_ANOTHER,
        ("FIN", "NOT", False): FaultKind.NOTARIZED_ANOTHER,
        **dict.fromkeys(
            itertools.chain(
                itertools.product(["NUL"], ["FIN"], [True, False]),
                itertools.product(["FIN"], ["NUL"], [True, False]),
            ),
            FaultKind.NULLIFIED_AND_FINALIZED,
        ),
    }  # fmt: skip


@pytest.mark.parametrize(("epoch", "view"), [(0, 6), (1, 5)])
def test_votes_of_two_views_are_no_fault(town, epoch, view):
    one, other = town.vote(CULPRIT, N, b"a"), town.vote(CULPRIT, N, b"b", epoch, view)
    assert fault_between(one, other) is None


def test_a_fault_costs_a_part_of_the_stake_and_the_seat(town):
    before, reserve = town.units("bob"), account(town.state, RESERVE_ACCOUNT).units
    assert town.do("bob", town.evidence(CULPRIT)) == ""
    assert VALIDATORS.get(town.state, CULPRIT.public).stake_units == bill(95)
    assert town.units("bob") - before == bill(5) // 20 - FEE
    assert account(town.state, RESERVE_ACCOUNT).units - reserve == bill(5) * 19 // 20
    books = SLASHES.get(town.state)
    assert books.slashed_units == books.reserve_units + books.reporters_units == bill(5)
    town.to_epoch(1)
    assert committee_of(town.state, 1).seat(CULPRIT.public) is not None
    assert committee_of(town.state, 2).seat(CULPRIT.public) is None
    town.close()


def test_a_fault_is_punished_once_whatever_its_order(town):
    body = town.evidence(CULPRIT)
    swapped = town.evidence(CULPRIT, blocks=(b"b", b"c"))
    assert [town.do("bob", each) for each in (body, swapped)] == ["", "known_offence"]
    other = town.evidence(CULPRIT, kinds=(X, F), blocks=(b"", b"a"))
    assert town.do("bob", other) == ""
    assert town.do("bob", town.evidence(CULPRIT, view=6)) == ""
    assert VALIDATORS.get(town.state, CULPRIT.public).stake_units == bill(85)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"blocks": (b"a", b"a")}, "no_fault"),
        ({"kinds": (N, X), "blocks": (b"a", b"")}, "no_fault"),
        ({"epoch": 1}, "evidence_too_old"),
    ],
)
def test_what_is_no_evidence(town, change, code):
    assert town.do("bob", town.evidence(CULPRIT, **change)) == code
    assert VALIDATORS.get(town.state, CULPRIT.public).stake_units == bill(100)


def test_only_members_of_the_epoch_answer(town):
    town.do("alice", town.registration("alice"))
    assert town.do("bob", town.evidence(key("nobody"))) == "unknown_validator"
    assert town.do("bob", town.evidence(key("vote-new"))) == "not_a_member"


def test_evidence_is_good_for_less_than_the_unbonding_time(town):
    town.do("owner-0", Unbond(CULPRIT.public, bill(100)))
    town.to_epoch(2)
    assert town.do("bob", town.evidence(CULPRIT)) == ""
    town.to_epoch(3)
    assert town.do("bob", town.evidence(CULPRIT, view=9)) == "evidence_too_old"
    # Its last vote was in epoch 1, which is punishable until what left is nearly free.
    assert town.do("bob", town.evidence(CULPRIT, epoch=1)) == ""
    town.to_epoch(4)
    assert town.do("owner-0", ClaimUnbonded(CULPRIT.public, 0)) == ""
    town.close()


def test_what_left_after_it_voted_pays_and_what_left_before_does_not(town):
    town.do("owner-0", Unbond(CULPRIT.public, bill(20)))
    town.to_epoch(1)
    town.do("owner-0", Unbond(CULPRIT.public, bill(40)))
    town.to_epoch(2)
    name = CULPRIT.public + epoch_name(0)
    assert committee_of(town.state, 2).seat(CULPRIT.public).stake == bill(80)
    assert town.do("bob", town.evidence(CULPRIT, epoch=2)) == ""
    assert UNBONDING.get(town.state, name).units == bill(20)
    assert UNBONDING.get(town.state, CULPRIT.public + epoch_name(1)).units == bill(38)
    assert VALIDATORS.get(town.state, CULPRIT.public).stake_units == bill(38)
    town.close()


def test_delegators_pay_with_their_validator(town):
    town.do("bob", Bond(CULPRIT.public, bill(100)))
    town.to_epoch(2)
    assert town.do("carol", town.evidence(CULPRIT, epoch=2)) == ""
    assert held_stake(town.state, CULPRIT.public, town.address("bob")) == bill(95)
    town.do("alice", Bond(CULPRIT.public, bill(95)))
    assert held_stake(town.state, CULPRIT.public, town.address("alice")) == bill(95)
    town.close()


def test_an_epoch_never_costs_more_than_its_seat():
    town = Town(staking={**SHORT, "slash_bp": 6_000})
    codes = [town.do("bob", town.evidence(CULPRIT, view=view)) for view in range(3)]
    assert codes == ["", "", "nothing_at_stake"]
    assert VALIDATORS.get(town.state, CULPRIT.public).stake_units == 0
    assert town.do("bob", Bond(CULPRIT.public, bill(1))) == "empty_stake"
    town.close()


def test_who_lost_all_may_own_another_validator():
    town = Town(staking={**SHORT, "slash_bp": 10_000})
    town.do("alice", town.dairy.pay(town.address("owner-0"), bill(200)))
    assert town.do("owner-0", town.registration("owner-0")) == "known_owner"
    town.do("bob", town.evidence(CULPRIT))
    assert town.do("owner-0", town.registration("owner-0")) == ""
    assert town.do("owner-0", town.registration("owner-0", "other")) == "known_owner"
    assert town.do("owner-0", Bond(key("vote-new").public, bill(50))) == ""
    town.to_epoch(1)
    assert committee_of(town.state, 2).seat(key("vote-new").public).stake == bill(50)
    town.close()


def test_nobody_gains_by_reporting_itself_with_the_stake_of_others(town):
    town.do("owner-0", Unbond(CULPRIT.public, bill(100) - 19))
    town.do("carol", Bond(CULPRIT.public, bill(500)))
    town.to_epoch(2)
    assert committee_of(town.state, 2).seat(CULPRIT.public).stake == bill(500) + 19
    before = town.units("bob")
    assert town.do("bob", town.evidence(CULPRIT, epoch=2)) == ""
    # Of 25 BILL that were taken the owner lost not one unit.
    assert SLASHES.get(town.state).slashed_units == bill(25) + 1
    assert town.units("bob") == before - FEE
    town.close()


def test_what_an_owner_lost_on_its_way_out_pays_the_reporter_too(town):
    town.to_epoch(1)
    town.do("owner-0", Unbond(CULPRIT.public, bill(100)))
    before = town.units("bob")
    assert town.do("bob", town.evidence(CULPRIT)) == ""
    assert town.units("bob") - before == bill(5) // 20 - FEE
    town.close()


def test_for_nothing_it_is_looked_once(town):
    town = Town(staking={**SHORT, "slash_bp": 10_000})
    town.do("alice", town.dairy.pay(town.address("owner-0"), bill(200)))
    town.to_epoch(1)
    codes = [
        town.do("bob", town.evidence(CULPRIT, epoch=e, view=v)) for e in (1, 0) for v in (1, 2)
    ]
    assert codes == ["", "nothing_at_stake", "", "nothing_at_stake"]
    assert SLASHES.get(town.state).slashed_units == bill(100)
    town.close()


def test_who_is_in_jail_has_no_part_in_the_levy(town):
    town.do("bob", town.evidence(CULPRIT))
    town.make_lot()
    before = [town.units(f"owner-{i}") for i in range(4)]
    town.to_epoch(1)
    assert [town.units(f"owner-{i}") - before[i] for i in range(4)] == [0] + [400_000] * 3
    town.close()


def test_a_jailed_validator_is_freed_by_its_owner_after_its_time(town):
    assert town.do("owner-0", Unjail(CULPRIT.public)) == "not_jailed"
    town.do("bob", town.evidence(CULPRIT))
    assert town.do("owner-0", Unjail(CULPRIT.public)) == "still_jailed"
    assert town.do("bob", Unjail(CULPRIT.public)) == "foreign_validator"
    town.to_epoch(2)
    assert town.do("owner-0", Unjail(CULPRIT.public)) == ""
    town.to_epoch(3)
    assert committee_of(town.state, 4).seat(CULPRIT.public).stake == bill(95)
    town.close()


def test_what_left_waits_for_its_time_and_pays_until_then_however_many_blocks_pass():
    town = Town(staking={**SHORT, "unbonding_ms": 1_000, "evidence_ms": 500})
    town.do("alice", town.dairy.pay(town.address("owner-0"), bill(1)))
    town.do("owner-0", Unbond(CULPRIT.public, bill(100)))
    town.to_epoch(8)
    assert [committee_of(town.state, epoch) is None for epoch in range(8)] == [False] * 8
    assert town.do("bob", town.evidence(CULPRIT)) == ""
    town.time_ms += 500
    town.to_epoch(10)
    # A boundary adds an epoch and forgets many, in their order, so it catches up at once.
    kept = [committee_of(town.state, epoch) is not None for epoch in range(10)]
    assert kept == [False] * 8 + [True] * 2
    assert town.do("bob", town.evidence(CULPRIT, view=9)) == "evidence_too_old"
    assert town.do("owner-0", ClaimUnbonded(CULPRIT.public, 0)) == "immature"
    town.time_ms += 500
    assert town.do("owner-0", ClaimUnbonded(CULPRIT.public, 0)) == ""
    assert town.do("owner-0", ClaimUnbonded(CULPRIT.public, 0)) == "nothing_unbonded"
    town.close()


def test_no_stake_leaves_while_a_fault_of_the_epochs_that_it_voted_in_is_punishable():
    town = Town(staking={**SHORT, "unbonding_ms": 500, "evidence_ms": 500})
    town.do("alice", town.dairy.pay(town.address("owner-0"), bill(1)))
    town.do("owner-0", Unbond(CULPRIT.public, bill(100)))
    town.to_epoch(1)
    # Its last epoch goes on for long: the time since it left says nothing.
    town.time_ms += 10_000
    town.to_epoch(6)
    assert committee_of(town.state, 1) is not None
    assert town.do("owner-0", ClaimUnbonded(CULPRIT.public, 0)) == "immature"
    assert town.do("bob", town.evidence(CULPRIT, epoch=1)) == ""
    town.close()
