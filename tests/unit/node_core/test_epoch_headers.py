"""What a header, a sync reply and a certificate must be in their epoch, and what is an alarm."""

import pytest
from msgspec.structs import replace

from consensus import vrf
from consensus.effects import Build
from consensus.leader import Schedule, draw_bytes, first_seed
from consensus.messages import Certificate, Proposal, Subject, Vote
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.keys import address_of
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from ledger.store import MemoryStore
from ledger.types.block import decode_block
from node.core import effects as node_effects
from node.core import events as node_events
from node.core import wire
from node.core.application import BlockFault
from node.core.events import Channel
from node.core.machine import Machine
from node.core.sync import serve
from node.core.wire import encode_consensus
from tests.support.ledger.dairy import key
from tests.support.node.cluster import Node, secret
from tests.support.node.era import EPOCH_BLOCKS, Era, certificate_at


def propose_again(era: Era, payload: bytes) -> list[str]:
    """Have the leader propose the last block on itself; give what a node warns of."""
    node = era.net.nodes[0]
    known, leader = node.machine.engine.snapshot(), node.machine.engine.leader
    assert known.parent is not None
    assert leader != known.me, "another leads"
    block = known.parent.block
    about = Subject(VoteKind.NOTARIZE, known.epoch, known.view, block.view, block.hash)
    vote = Vote(about, leader, era.net.keys[leader].sign(about.signing_bytes(era.dairy.chain_id)))
    proof = (known.parent.certificate, known.parent.nullifications)
    proposal = encode_consensus(Proposal(vote, block.hash, payload, *proof))
    before = len(node.warnings)
    era.net.feed(0, node_events.PeerMessage(leader, Channel.CONSENSUS, proposal))
    return [warning.text for warning in node.warnings[before:]]


def test_only_an_epochs_last_block_may_come_again_and_without_a_body() -> None:
    era = Era()
    era.to_height(2)
    why, blame = propose_again(era, b"")
    assert "no last block" in why
    assert "invalid block" in blame


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("epoch", 1, "another chain or epoch"),
        ("committee_hash", bytes(32), "committees"),
        ("next_committee_hash", bytes(32), "committees"),
        ("evidence_root", bytes(32), "evidence"),
        ("vrf_proof", bytes(80), "VRF"),
        ("vrf_proof", b"", "VRF"),
        ("height", EPOCH_BLOCKS + 1, "height"),
    ],
)
def test_a_header_that_lies_about_its_epoch_is_refused(field: str, value: object, why: str) -> None:
    era = Era()
    application = era.net.nodes[0].machine.application
    leader = application.plan.leader(1)
    maker = era.net.nodes[leader].machine
    build = Build(View(1), View(0), application.tip.hash)
    drawer = era.net.drawer(leader)
    built = maker.application.prepare(build, maker.mempool, era.net.now_ms, drawer)
    block = decode_block(built.raw)
    bent = replace(block, header=replace(block.header, **{field: value}))
    parsed = application.parse(encode(bent), bent.header.hash())
    with pytest.raises(BlockFault, match=why):
        application.execute(parsed)
    application.execute(application.parse(built.raw, built.hash))


def test_no_proof_but_the_leaders_own_for_its_view_draws() -> None:
    era = Era()
    plan = era.net.nodes[0].machine.application.plan
    leaders = {plan.leader(view): View(view) for view in range(1, 12)}
    (one, view), (other, _) = sorted(leaders.items())[:2]
    maker, judge = era.net.nodes[one].machine, era.net.nodes[other].machine.application
    build, drawer = Build(view, View(0), judge.tip.hash), era.net.drawer(one)
    built = maker.application.prepare(build, maker.mempool, era.net.now_ms, drawer)
    block = decode_block(built.raw)
    genuine = block.header.vrf_proof
    own, others = (era.net.vrf_secrets[era.net.keys[m].public] for m in (one, other))
    foreign = vrf.prove(others, draw_bytes(plan.seed, plan.epoch, view))
    elsewhere = vrf.prove(own, draw_bytes(plan.seed, plan.epoch, View(view + 1)))
    lies = (foreign, elsewhere, genuine[:-1] + b"\x11", genuine[:-1], b"")
    for lie in lies:
        bent = replace(block, header=replace(block.header, vrf_proof=lie))
        with pytest.raises(BlockFault, match="VRF"):
            judge.execute(judge.parse(encode(bent), bent.header.hash()))
    judge.execute(judge.parse(built.raw, built.hash))


def offer_blocks(machine: Machine, reply: wire.Blocks, now_ms: int) -> list[str]:
    """Have peer 1 claim to be ahead and, once it is asked, answer; give the warnings."""
    claim = node_events.PeerMessage(Member(1), Channel.SYNC, wire.encode_sync(wire.Status(99)))
    requests = [
        e for e in machine.handle(claim, now_ms, now_ms) if isinstance(e, node_effects.SendTo)
    ]
    assert [(e.peer, e.channel) for e in requests] == [(1, Channel.SYNC)], "it asks for blocks"
    event = node_events.PeerMessage(Member(1), Channel.SYNC, wire.encode_sync(reply))
    effects = machine.handle(event, now_ms, now_ms)
    return [effect.text for effect in effects if isinstance(effect, node_effects.Warn)]


def test_synced_blocks_need_a_finalization_and_of_the_right_epoch() -> None:
    era = Era()
    era.net.crash(3)
    era.to_height(EPOCH_BLOCKS + 2)
    source, sleeper = era.net.nodes[0], era.net.nodes[3]
    blocks = tuple(source.store.block(height).raw for height in (1, 2))
    genuine = certificate_at(source, 2)
    notarize = replace(genuine.subject, kind=VoteKind.NOTARIZE)
    text = notarize.signing_bytes(era.dairy.chain_id)
    votes = tuple((Member(m), era.net.keys[m].sign(text)) for m in range(3))
    lies = {
        "without a finalization": Certificate(notarize, votes),
        "of another epoch": certificate_at(source, EPOCH_BLOCKS + 1),
    }
    for why, lie in lies.items():
        machine = assemble_again(era, sleeper)
        (warning,) = offer_blocks(machine, wire.Blocks(blocks, lie, 7), era.net.now_ms)
        assert why in warning
        assert machine.application.height == 0
    machine = assemble_again(era, sleeper)
    assert offer_blocks(machine, wire.Blocks(blocks, genuine, 7), era.net.now_ms) == []
    assert machine.application.height == 2


def assemble_again(era: Era, node: Node) -> Machine:
    """A started machine over a node's store, connected with nobody."""
    machine = era.net.make(node.store, node.key, [])
    machine.handle(node_events.Start(), era.net.now_ms, era.net.now_ms)
    return machine


def test_a_sync_reply_ends_with_its_epoch() -> None:
    era = Era()
    era.to_height(2 * EPOCH_BLOCKS + 1)
    node = era.net.nodes[0]
    for first in range(1, EPOCH_BLOCKS + 1):
        last = node.machine.application.last_of_epoch(first)
        reply = serve(node.store, first, node.machine.application.height, last)
        assert reply is not None
        assert len(reply.blocks) == EPOCH_BLOCKS + 1 - first
        assert reply.finalization.subject.epoch == 0


def test_blocks_that_are_final_elsewhere_and_stand_beside_ours_raise_the_alarm() -> None:
    ours, theirs = Era(), Era()
    theirs.do("alice", theirs.dairy.pay(address_of(key("bob").public), 5))
    ours.to_height(2)
    theirs.to_height(3)
    blocks = tuple(theirs.net.nodes[0].store.block(height).raw for height in (1, 2, 3))
    node = ours.net.nodes[0].machine
    reply = wire.Blocks(blocks, certificate_at(theirs.net.nodes[0], 3), 3)
    assert [text for text in offer_blocks(node, reply, ours.net.now_ms) if "FORK" in text]
    assert node.forks == 1


def test_two_certificates_of_one_view_raise_the_alarm_and_make_evidence() -> None:
    era = Era()
    era.to_height(1)
    genuine = certificate_at(era.net.nodes[0], 1)
    rival = replace(genuine.subject, block_hash=bytes(32))
    text = rival.signing_bytes(era.dairy.chain_id)
    lie = Certificate(rival, tuple((m, era.net.keys[m].sign(text)) for m, _ in genuine.votes))
    era.net.feed(0, node_events.PeerMessage(Member(1), Channel.CONSENSUS, encode_consensus(lie)))
    machine = era.net.nodes[0].machine
    assert machine.forks == 1
    guilty = {era.net.keys[m].public for m, _ in genuine.votes if m != 0}
    assert {evidence.validator for evidence in machine.informer.evidence} == guilty


def test_who_has_the_wrong_vrf_secret_gives_its_views_up_and_says_why() -> None:
    era = Era()
    application = era.net.nodes[0].machine.application
    member, owner = application.plan.leader(1), application.plan.owner(1)
    node = era.net.nodes[member]
    era.net.vrf_secrets[node.key.public] = secret("another")
    era.net.crash(member)
    era.net.restart(member)
    era.to_height(2 * EPOCH_BLOCKS)
    assert [w for w in node.warnings if "VRF key" in w.text]
    proposers = {node.store.block(h).block.header.proposer for h in range(1, 2 * EPOCH_BLOCKS + 1)}
    assert owner not in proposers
    era.settled()


def test_a_last_block_proposed_again_by_another_keeps_the_draw_of_its_maker() -> None:
    era = Era()
    finalize = {"lost": True}
    post = era.net.post

    def lossy(index: int, event: node_events.Event, delay_ms: int = 0) -> None:
        """Lose finalize votes on the boundary until leaders have proposed it again."""
        if isinstance(event, node_events.PeerMessage) and event.channel is Channel.CONSENSUS:
            message = wire.decode_consensus(event.payload)
            subject = getattr(message, "subject", None)
            final = subject is not None and subject.kind is VoteKind.FINALIZE
            at_boundary = era.net.nodes[0].machine.application.height == EPOCH_BLOCKS - 1
            if final and at_boundary and finalize["lost"]:
                return
        post(index, event, delay_ms)

    era.net.post = lossy  # type: ignore[method-assign]  # A fault of the network.
    era.to_height(EPOCH_BLOCKS - 1)
    era.net.run(20_000)
    assert era.heights() == {EPOCH_BLOCKS - 1}
    finalize["lost"] = False
    era.to_height(EPOCH_BLOCKS + 1)
    source = era.net.nodes[0]
    header = source.store.block(EPOCH_BLOCKS).block.header
    certificate = certificate_at(source, EPOCH_BLOCKS)
    assert certificate.subject.view > header.view
    leaders = Schedule(first_seed(era.dairy.chain_id), era.dairy.genesis.committee)
    assert leaders.leader(certificate.subject.view) != leaders.leader(header.view)
    # Who syncs the block sees that view's certificate, and verifies against the maker's key.
    late = era.net.make(MemoryStore(), source.key, [])
    late.handle(node_events.Start(), era.net.now_ms, era.net.now_ms)
    blocks = tuple(source.store.block(h).raw for h in range(1, EPOCH_BLOCKS + 1))
    reply = wire.Blocks(blocks, certificate, EPOCH_BLOCKS)
    assert offer_blocks(late, reply, era.net.now_ms) == []
    assert late.application.height == EPOCH_BLOCKS
