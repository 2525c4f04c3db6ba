"""Several engines together over a seeded network: agreement, liveness, timing (spec §3)."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest

from consensus.effects import Misbehaviour
from consensus.leader import Schedule, first_seed
from consensus.messages import Message, Proposal, Vote
from consensus.params import Params
from consensus.votes import are_exclusive
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from tests.support.consensus.chaos import Chaos
from tests.support.consensus.network import CHAIN, EPOCH, Links, Net, make_block

# A tracer makes it three times as slow; the engine's lines are counted by the engine's own tests.
pytestmark = pytest.mark.no_cover

QUICK = 200
BATCH = 20


def rough_net(seed: int) -> Net:
    """Draw a network from a seed: size, stakes, delays, loss, repeats, crashes."""
    draw = Random(seed)
    stakes = [draw.randint(1, 10) for _ in range(draw.randint(4, 7))]
    links = Links(
        (draw.randint(1, 30), draw.randint(30, 120)),
        draw.choice((0, 0.05, 0.2, 0.3)),
        draw.choice((0, 0.1, 0.5)),
    )
    net = Net(seed, stakes, Params(pace_ms=draw.choice((0, 150))), links)
    net.process_ms = (0, draw.randint(0, 40))
    net.crash_chance = draw.choice((0, 0, 0.005, 0.02))
    return net


def offences(net: Net) -> list[Misbehaviour]:
    return [offence for machine in net.machines for offence in machine.offences]


@pytest.mark.parametrize("batch", range(0, QUICK, BATCH))
def test_all_agree_under_faults_and_go_on_when_faults_end(batch: int) -> None:
    for seed in range(batch, batch + BATCH):
        net = rough_net(seed)
        net.run(4_000)
        net.crash_chance, net.links = 0.0, Links((5, 50))
        goal = max(len(machine.chain) for machine in net.machines) + 2
        assert net.run(net.now_ms + 30_000, net.reaches(goal)), f"seed {seed} stands still"
        assert offences(net) == [], f"seed {seed}: an honest validator was accused"


def test_one_seed_makes_one_run() -> None:
    runs = []
    for _ in range(2):
        net = rough_net(5)
        net.run(4_000)
        runs.append([(at, a, b, repr(message)) for at, a, b, message in net.sent])
    assert runs[0] == runs[1]


@pytest.mark.parametrize("delay_ms", [10, 100])
def test_without_faults_a_block_is_final_after_three_delays(delay_ms: int) -> None:
    net = Net(links=Links((delay_ms, delay_ms)))
    net.run(60 * delay_ms + net.now_ms)
    delays = [net.final_ms[view] - net.proposed_ms[view] for view in net.final_ms]
    assert len(delays) > 20
    assert set(delays) == {3 * delay_ms}
    # A block every two delays.
    assert net.proposed_ms[View(11)] - net.proposed_ms[View(1)] == 20 * delay_ms


def test_messages_a_view_are_bounded_and_few_without_faults() -> None:
    net = Net()
    net.run(3_000)
    views = len(net.final_ms)
    # A proposal, notarize votes, finalize votes to three others each, and certificates pushed to
    # the next leader.
    assert len(net.sent) / views < 3 + 3 * 3 + 4 * 3 + 2 * 3 + 1


def test_a_crashed_leader_costs_a_timeout_and_no_more() -> None:
    net = Net(links=Links((20, 20)))
    net.run(1_500)
    dead = net.machines[0].engine.leader
    net.stop(dead)
    started, height = net.now_ms, max(net.heights())
    assert net.run(60_000, net.reaches(height + 1))
    assert net.now_ms - started < net.params.delta_ms + net.params.leader_ms + 10 * 20


def test_three_crashed_leaders_in_a_row_still_finalize_under_three_seconds() -> None:
    net = Net(stakes=[1] * 10, links=Links((100, 100)))
    net.run(3_000)
    engine = net.machines[0].engine
    leader = Schedule(first_seed(CHAIN), net.committee).leader
    view = next(
        v
        for v in range(engine.view + 5, 1_000)
        if len({leader(View(v + i)) for i in range(-1, 4)}) == 5
    )
    dead = [leader(View(view + i)) for i in range(3)]
    net.run(600_000, lambda: max(m.engine.view for m in net.machines) >= view)
    for member in dead:
        net.stop(member)
    started = net.now_ms
    assert net.run(started + 3_000, lambda: View(view + 3) in net.final_ms)


def test_a_leader_that_stays_silent_is_skipped_without_waiting() -> None:
    net = Net(links=Links((20, 20)), params=Params(pace_ms=100))
    net.run(2_000)
    net.stop(0)
    net.run(20_000)
    before, at_ms = max(net.heights()), net.now_ms
    net.run(30_000)
    blocks = max(net.heights()) - before
    # Waiting T_L in every fourth view would leave room for about half as many.
    assert (net.now_ms - at_ms) / blocks < 220


@pytest.mark.parametrize("seed", range(10))
def test_a_partition_stops_and_its_healing_resumes(seed: int) -> None:
    net = Net(seed, stakes=(3, 3, 2, 2), links=Links((5, 60)))
    net.run(2_500)
    net.partition([0, 2], [1, 3])
    net.run(2_700)
    height = max(net.heights())
    net.run(15_000)
    assert max(net.heights()) == height, "neither half has a quorum"
    net.heal()
    assert net.run(net.now_ms + 5_000, net.reaches(height + 3))


@pytest.mark.parametrize("seed", range(5))
def test_one_cut_off_for_long_catches_up_by_block_sync(seed: int) -> None:
    net = Net(seed, links=Links((5, 30)))
    net.run(2_000)
    net.partition([0, 1, 2], [3])
    net.run(15_000)
    height = max(net.heights())
    assert len(net.machines[3].chain) < height - 50
    net.heal()
    assert net.run(net.now_ms + 4_000, net.reaches(height + 3))
    assert net.machines[3].behind


@pytest.mark.parametrize("seed", range(20))
def test_crashes_at_every_step_never_make_a_validator_vote_against_itself(seed: int) -> None:
    net = Net(seed, links=Links((5, 40), loss=0.1))
    net.crash_chance = 0.05
    net.revive_ms = (1, 300)
    net.run(8_000)  # The oracle judges every record and every message (I1, I2, I3).
    assert sum(machine.life for machine in net.machines) > 20
    net.crash_chance = 0.0
    goal = max(len(machine.chain) for machine in net.machines) + 2
    assert net.run(net.now_ms + 30_000, net.reaches(goal))
    assert offences(net) == []


def test_a_full_stop_of_the_cluster_loses_nothing() -> None:
    net = Net(3)
    net.run(1_515)
    for machine in net.machines:
        net.stop(machine.member)
    net.run(5_000)
    chains = [list(machine.chain) for machine in net.machines]
    for machine in net.machines:
        net.start(machine)
    goal = max(map(len, chains)) + 3
    assert net.run(20_000, net.reaches(goal))
    assert all(m.chain[: len(c)] == c for m, c in zip(net.machines, chains, strict=True))


def test_an_idle_net_is_silent_until_the_heartbeat_and_after_it() -> None:
    net = Net(work=False)
    net.run(60_500)
    spoken = sorted({at for at, *_ in net.sent})
    pauses = [later - earlier for earlier, later in pairwise([1_000, *spoken])]
    # A heartbeat is a block and its rounds of messages, and then nothing for ten seconds.
    beats = [pause for pause in pauses if pause > 10]
    assert len(beats) == 5
    assert all(9_900 < pause <= 10_000 for pause in beats)
    assert net.heights() == [5, 5, 5, 5]


def test_the_last_block_of_a_burst_becomes_final_though_its_finalize_votes_are_lost() -> None:
    net = Net(links=Links((10, 10)), params=Params(heartbeat_ms=100_000))
    net.tamper = lambda net, sender, to, message: (
        [] if isinstance(message, Vote) and message.subject.kind is VoteKind.FINALIZE else [message]
    )
    net.byzantine = {machine.member for machine in net.machines}
    net.run(1_020)  # The first block is proposed and voted for.
    net.set_work(False)
    net.run(1_500)
    assert net.heights() == [0, 0, 0, 0]
    net.byzantine = set()
    assert net.run(1_500 + net.params.standstill_ms + 500, net.reaches(1))


def split_brain(net: Net, sender: Member, to: Member, message: Message) -> list[Message]:
    """Give half of the members another block than the other half."""
    if isinstance(message, Proposal) and message.vote.signer == sender and to % 2:
        about = message.vote.subject
        parent = net.machines[sender].executed[
            next(b for b in net.machines[sender].executed if b.hash == about.block_hash)
        ]
        block_hash, payload = make_block(about.view, parent, b"the other")
        subject = type(about)(about.kind, EPOCH, about.view, about.parent_view, block_hash)
        signature = net.keys[sender].sign(subject.signing_bytes(CHAIN))
        vote = Vote(subject, sender, signature)
        return [
            Proposal(vote, message.parent_hash, payload, message.parent, message.nullifications)
        ]
    return [message]


@pytest.mark.parametrize("seed", range(10))
def test_an_equivocating_leader_is_named_and_outlived(seed: int) -> None:
    net = Net(seed, links=Links((5, 40)))
    net.byzantine, net.tamper = {Member(seed % 4)}, split_brain
    net.run(6_000)
    assert max(net.heights()) > 20
    proofs = [offence for offence in offences(net) if offence.proof is not None]
    assert {offence.member for offence in proofs} <= net.byzantine
    for offence in proofs:
        one, other = offence.proof
        assert are_exclusive(one.subject, other.subject)


def draw_byzantine(net: Net, draw: Random) -> set[Member]:
    """Draw as many members as hold less than a third of the stake."""
    chosen: set[Member] = set()
    for machine in draw.sample(net.machines, len(net.machines)):
        stake = sum(map(net.committee.stake, {*chosen, machine.member}))
        if 3 * stake < net.committee.total:
            chosen.add(machine.member)
    return chosen


@pytest.mark.parametrize("batch", range(0, 40, 10))
def test_a_dishonest_third_can_neither_fork_nor_stop_the_chain_nor_blame_others(batch: int) -> None:
    for seed in range(batch, batch + 10):
        draw = Random(seed)
        stakes = [draw.randint(3, 5) for _ in range(draw.choice((4, 5, 7, 10)))]
        net = Net(seed, stakes, links=Links((5, draw.randint(20, 80)), draw.choice((0, 0.1))))
        net.process_ms, net.crash_chance = (0, 20), draw.choice((0, 0.005))
        net.byzantine, net.tamper = draw_byzantine(net, draw), Chaos(seed)
        net.run(3_000)
        net.crash_chance, net.links = 0.0, Links((5, 50))
        honest = [m for m in net.machines if m.member not in net.byzantine]
        goal = max(len(machine.chain) for machine in net.machines) + 3
        done = net.run(60_000, lambda who=honest, to=goal: min(len(m.chain) for m in who) >= to)
        assert done, f"seed {seed} stands still"
        blamed = {offence.member for machine in honest for offence in machine.offences}
        assert blamed <= net.byzantine, f"seed {seed}"


@pytest.mark.parametrize("seed", range(5))
def test_invalid_blocks_are_nullified_and_the_chain_goes_on(seed: int) -> None:
    net = Net(seed, links=Links((5, 40)))
    liar = Member(seed % 4)
    net.note = lambda member, view: b"bad" if member == liar else b"good"
    net.run(6_000)
    honest = [len(machine.chain) for machine in net.machines if machine.member != liar]
    assert min(honest) > 20
    assert {offence.member for offence in offences(net)} == {liar}


@pytest.mark.parametrize("stakes", [(1,), (1, 1), (34, 33, 33), (67, 11, 11, 11)])
def test_small_and_lopsided_committees_work(stakes: Sequence[int]) -> None:
    net = Net(stakes=stakes)
    assert net.run(5_000, net.reaches(10))
    assert offences(net) == []


def test_a_stake_above_two_thirds_goes_on_alone_and_a_third_stops_it() -> None:
    net = Net(stakes=(70, 10, 10, 10))
    net.run(2_000)
    for member in (1, 2, 3):
        net.stop(member)
    height = len(net.machines[0].chain)
    assert net.run(60_000, net.reaches(height + 3))
    net = Net(stakes=(34, 33, 33))
    net.run(2_000)
    net.stop(0)
    height = max(net.heights())
    net.run(30_000)
    assert max(net.heights()) <= height + 1
