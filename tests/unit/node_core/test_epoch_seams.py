"""Where one epoch ends and the next begins: crashes, late nodes, and lost journals cost nothing."""

from collections.abc import Callable

import pytest

from consensus.messages import Certificate, Proposal, Subject, ViewReport, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from node.core import events as node_events
from node.core.events import Channel
from node.core.wire import decode_consensus, encode_consensus
from tests.support.node.cluster import Cluster
from tests.support.node.era import EPOCH_BLOCKS, JOINER, Era, certificate_at


@pytest.mark.parametrize("height", range(EPOCH_BLOCKS - 2, EPOCH_BLOCKS + 3))
def test_all_crash_around_a_boundary_and_go_on(height: int) -> None:
    era = Era()
    era.to_height(height)
    for index in range(4):
        era.net.crash(index)
    for index in range(4):
        era.net.restart(index)
    era.to_height(2 * EPOCH_BLOCKS + 2)
    era.settled()


def is_finalize(event: node_events.Event) -> bool:
    """Tell whether an event brings a finalize vote or a finalization."""
    if not isinstance(event, node_events.PeerMessage) or event.channel is not Channel.CONSENSUS:
        return False
    message = decode_consensus(event.payload)
    about = message.subject if isinstance(message, Vote | Certificate) else None
    return about is not None and about.kind is VoteKind.FINALIZE


def deafen(net: Cluster, index: int, *, to: Callable[[node_events.Event], bool]) -> None:
    """Let a node miss the events that `to` picks."""
    original = net.post

    def post(at: int, event: node_events.Event, delay_ms: int = 0) -> None:
        if at != index or not to(event):
            original(at, event, delay_ms)

    net.post = post  # type: ignore[method-assign]  # The net of this test alone.


def test_who_missed_the_end_of_an_epoch_is_told_by_those_who_went_on() -> None:
    era = Era()
    era.to_height(EPOCH_BLOCKS - 1)
    deafen(era.net, 3, to=lambda event: isinstance(event, node_events.PeerMessage))
    for _ in range(100):
        if min(node.machine.engine.epoch for node in era.net.nodes[:3]) == 1:
            break
        era.net.run(50)
    assert era.net.nodes[3].machine.engine.epoch == 0
    del era.net.post
    era.net.run(2_000)
    assert era.net.nodes[3].machine.engine.epoch == 1
    era.to_height(2 * EPOCH_BLOCKS)
    era.settled()


def test_a_boundary_block_that_does_not_become_final_is_proposed_again_and_nothing_on_it() -> None:
    era = Era()
    era.to_height(EPOCH_BLOCKS - 1)
    seen: list[Proposal] = []
    held = {"on": True}
    original = era.net.post

    def post(at: int, event: node_events.Event, delay_ms: int = 0) -> None:
        if isinstance(event, node_events.PeerMessage) and event.channel is Channel.CONSENSUS:
            message = decode_consensus(event.payload)
            if isinstance(message, Proposal):
                seen.append(message)
            if held["on"] and is_finalize(event):
                return
        original(at, event, delay_ms)

    era.net.post = post  # type: ignore[method-assign]  # The net of this test alone.
    era.net.run(8_000)
    assert era.heights() == {EPOCH_BLOCKS - 1}
    again = [p for p in seen if p.vote.subject.block_hash == p.parent_hash]
    assert {p.vote.subject.view for p in again} != set()
    assert all(p.payload == b"" for p in again)
    held["on"] = False
    era.to_height(EPOCH_BLOCKS + 1)
    era.settled()
    header = era.net.nodes[0].store.block(EPOCH_BLOCKS).block.header
    certificate = certificate_at(era.net.nodes[0], EPOCH_BLOCKS)
    assert certificate.subject.block_hash == header.hash()
    assert certificate.subject.view > header.view


@pytest.mark.parametrize("index", range(4))
def test_a_crash_while_the_boundary_is_proposed_again_costs_nothing(index: int) -> None:
    era = Era()
    era.to_height(EPOCH_BLOCKS - 1)
    original, held = era.net.post, {"on": True}

    def post(at: int, event: node_events.Event, delay_ms: int = 0) -> None:
        if held["on"] and is_finalize(event):
            return
        original(at, event, delay_ms)

    era.net.post = post  # type: ignore[method-assign]  # The net of this test alone.
    era.net.run(5_000)
    era.net.crash(index)
    era.net.run(1_000)
    era.net.restart(index)
    held["on"] = False
    era.to_height(2 * EPOCH_BLOCKS)
    era.settled()


@pytest.mark.parametrize("height", [1, EPOCH_BLOCKS - 1, EPOCH_BLOCKS, EPOCH_BLOCKS + 1])
def test_who_lost_its_journal_votes_again_be_it_an_epoch_later(height: int) -> None:
    era = Era(joiners=(JOINER,))
    era.join()
    era.to_height(3 * EPOCH_BLOCKS + height)
    assert len(era.net.nodes[0].machine.application.plan.committee.seats) == 5
    era.net.crash(1)
    era.net.run(500)
    era.net.restart(1, lost_journal=True)
    node = era.net.nodes[1]
    assert node.machine.engine.is_silent
    for _ in range(120):
        era.net.run(500)
        if node.may_vote:
            break
    assert node.may_vote
    assert not node.machine.engine.is_silent
    era.net.crash(2)
    reached = max(era.heights())
    era.to_height(reached + 4)
    era.settled()


@pytest.mark.parametrize("epoch_blocks", [1, 2, 3])
def test_a_lost_journal_is_got_over_where_no_epoch_is_as_long_as_the_bar(
    epoch_blocks: int,
) -> None:
    era = Era(epoch_blocks=epoch_blocks)
    era.to_height(4)
    era.net.crash(1)
    era.net.run(500)
    era.net.restart(1, lost_journal=True)
    node = era.net.nodes[1]
    for _ in range(60):
        era.net.run(500)
        if node.may_vote:
            break
    assert node.may_vote
    era.net.crash(2)
    era.to_height(max(era.heights()) + 3)
    era.settled()


def vote_of_a_twin(era: Era, index: int) -> Vote:
    """Sign with a node's key what that node never did: for a view that nobody has reached."""
    engine = era.net.nodes[index].machine.engine
    subject = Subject(VoteKind.NULLIFY, engine.epoch, View(10_000), View(0), ZERO_HASH)
    signature = era.net.keys[index].sign(subject.signing_bytes(era.dairy.chain_id))
    assert engine.me is not None
    return Vote(subject, engine.me, signature)


def test_a_twin_is_remembered_through_epochs() -> None:
    era = Era()
    era.to_height(2)
    era.net.crash(1)
    era.net.restart(1, lost_journal=True)
    machine = era.net.nodes[1].machine
    for _ in range(100):
        if machine.engine.has_twin:
            break
        era.net.run(10)
        report = ViewReport(machine.engine.epoch, None, vote_of_a_twin(era, 1))
        payload = encode_consensus(report)
        era.net.feed(1, node_events.PeerMessage(Member(0), Channel.CONSENSUS, payload))
    assert machine.engine.epoch == 0
    era.to_height(3 * EPOCH_BLOCKS)
    assert machine.engine.has_twin
    assert not era.net.nodes[1].may_vote


def test_a_restart_does_not_end_the_silence() -> None:
    era = Era()
    era.to_height(2)
    era.net.crash(1)
    era.net.restart(1, lost_journal=True)
    era.net.run(20)
    era.net.crash(1)
    era.net.restart(1)
    assert era.net.nodes[1].machine.engine.is_silent
    era.net.run(30_000)
    assert era.net.nodes[1].may_vote
