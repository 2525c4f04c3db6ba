"""The oracle sees what it must, by arithmetic of its own."""

import pytest

from consensus.messages import Subject, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from simulator.virtual.errors import Breach
from simulator.virtual.oracle.ballots import Ballots, exclude_each_other
from simulator.virtual.oracle.committees import Committees
from simulator.virtual.scenarios import SCENARIOS, assign_roles
from simulator.virtual.simulation import Simulation
from simulator.virtual.topology import make_topology
from simulator.virtual.world import stream

TOPOLOGY = make_topology((10, 10, 10, 10))
C, D = Hash(b"c" * 32), Hash(b"d" * 32)


def subject(kind: VoteKind, block: Hash = ZERO_HASH, view: int = 5, parent: int = 4) -> Subject:
    parent = 0 if kind is VoteKind.NULLIFY else parent
    return Subject(kind, Epoch(0), View(view), View(parent), block)


NOTARIZE_C, NOTARIZE_D = subject(VoteKind.NOTARIZE, C), subject(VoteKind.NOTARIZE, D)
FINALIZE_C, FINALIZE_D = subject(VoteKind.FINALIZE, C), subject(VoteKind.FINALIZE, D)
NULLIFY = subject(VoteKind.NULLIFY)


def add(ballots: Ballots, about: Subject, *members: int) -> None:
    for member in members:
        signature = TOPOLOGY.keys[member].sign(about.signing_bytes(TOPOLOGY.chain_id))
        ballots.add(about, Member(member), signature)


def ballots(*honest: int, **extra: bool) -> Ballots:
    members = set(map(Member, honest))
    return Ballots(Committees(TOPOLOGY, members), members, **extra)


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        (NOTARIZE_C, NOTARIZE_D, True),
        (FINALIZE_C, FINALIZE_D, True),
        (NULLIFY, FINALIZE_C, True),
        (NOTARIZE_C, FINALIZE_D, True),
        (NOTARIZE_C, FINALIZE_C, False),
        (NOTARIZE_C, NULLIFY, False),
        (NOTARIZE_C, subject(VoteKind.NOTARIZE, C, parent=3), True),
    ],
)
def test_exactly_the_four_faults_exclude_each_other(
    one: Subject, other: Subject, excluded: bool
) -> None:
    assert exclude_each_other(one, other) is excluded
    assert exclude_each_other(other, one) is excluded


def test_an_honest_member_that_signs_against_itself_is_a_breach() -> None:
    held = ballots(0, 1, 2, 3)
    add(held, NULLIFY, 1)
    add(held, NOTARIZE_C, 1)
    with pytest.raises(Breach, match="I1"):
        add(held, FINALIZE_C, 1)


def test_a_liar_is_noted_with_both_its_votes() -> None:
    held = ballots(0, 1, 2)
    add(held, NOTARIZE_C, 3)
    add(held, NOTARIZE_D, 3)
    assert held.guilty == {Member(3): (NOTARIZE_C, NOTARIZE_D)}


def test_two_quorums_that_contradict_each_other_are_a_fork() -> None:
    held = ballots()
    add(held, FINALIZE_C, 0, 1, 2)
    add(held, NULLIFY, 1, 2)
    with pytest.raises(Breach, match="I6"):
        add(held, NULLIFY, 3)
    expected = ballots(tolerates_forks=True)
    add(expected, FINALIZE_C, 0, 1, 2)
    add(expected, FINALIZE_D, 1, 2, 3)
    assert expected.forks


def test_two_thirds_exactly_are_no_quorum() -> None:
    topology = make_topology((10, 10, 10))
    held = Ballots(Committees(topology, set()), set())
    for member in (0, 1):
        signature = topology.keys[member].sign(NOTARIZE_C.signing_bytes(topology.chain_id))
        held.add(NOTARIZE_C, Member(member), signature)
    assert not held.has_quorum(NOTARIZE_C)
    assert not held.is_certified(0, 5, C)


def test_a_vote_that_is_not_genuine_counts_for_nothing() -> None:
    held = ballots()
    wrong = TOPOLOGY.keys[1].sign(NOTARIZE_C.signing_bytes(TOPOLOGY.chain_id))
    held.add(NOTARIZE_C, Member(0), wrong)
    held.add(NOTARIZE_C, Member(99), wrong)
    assert not held.signers.get(NOTARIZE_C)


def test_a_vote_said_before_it_is_durable_is_a_breach() -> None:
    simulation = Simulation(SCENARIOS["calm"], 1)
    process = simulation.processes[0]
    key = simulation.topology.keys[process.member]
    signed = key.sign(NULLIFY.signing_bytes(simulation.topology.chain_id))
    with pytest.raises(Breach, match="I2"):
        simulation.oracle.saying(process, Vote(NULLIFY, process.member, signed))


def test_a_vote_that_no_sync_told_of_is_judged_when_the_disk_gives_it_back() -> None:
    simulation = Simulation(SCENARIOS["calm"], 1)
    process = simulation.processes[0]
    key = simulation.topology.keys[process.member]
    signed = key.sign(NOTARIZE_C.signing_bytes(simulation.topology.chain_id))
    with pytest.raises(Breach, match=r"I5.* without a durable body"):
        simulation.oracle.began(process, [Vote(NOTARIZE_C, process.member, signed)])


@pytest.mark.parametrize("name", [n for n, s in SCENARIOS.items() if s.liars and not s.forks])
def test_liars_always_hold_less_than_a_third(name: str) -> None:
    for seed in range(40):
        roles = assign_roles(SCENARIOS[name], stream(seed, "roles"))
        lying = sum(roles.stakes[member] for member in roles.liars)
        assert 3 * lying < sum(roles.stakes)
        assert min(roles.stakes) > 0


def test_at_the_edge_one_unit_more_would_be_a_third() -> None:
    roles = assign_roles(SCENARIOS["edge"], stream(4, "roles"))
    lying = sum(roles.stakes[member] for member in roles.liars)
    assert 3 * (lying + 1) >= sum(roles.stakes)
