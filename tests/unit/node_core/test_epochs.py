"""Several epochs on real cores: sets change two epochs later, crashes at the seam cost nothing."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from consensus.effects import Build, Check
from consensus.messages import (
    MESSAGE_BYTES_MAX,
    Certificate,
    Proposal,
    Subject,
    Vote,
    VoteKind,
)
from consensus.params import Params
from consensus.quorum import verify_certificate
from consensus.types import Epoch, Member, View
from ledger.params import default_parameters
from ledger.primitives.codec import decode, encode
from ledger.primitives.keys import PublicKey, SigningKey, address_of
from ledger.rules.epochs import committee_of, seed_of
from ledger.state.tables import account
from ledger.types.block import decode_block
from ledger.types.staking import Bond, RegisterValidator, Unbond, possession_bytes
from ledger.types.transaction import Body
from node.core import effects as asked
from node.core import events as told
from node.core import wire
from node.core.application import BlockFault
from node.core.events import Channel
from node.core.machine import Machine
from node.core.sync import serve
from node.core.wire import decode_consensus, encode_consensus
from tests.support.cluster import Cluster, Node, secret, vrf_secrets
from tests.support.ledgers import Dairy, bill, key

EPOCH_BLOCKS = 5
PARAMS = Params(heartbeat_ms=1_000)
JOINER = key("vote-new")


def dairy_of(epoch_blocks: int = EPOCH_BLOCKS) -> Dairy:
    rules = default_parameters(development=True)
    staking = replace(rules.staking, epoch_blocks=epoch_blocks)
    purses = {name: bill(1_000) for name in ("alice", "bob", "carol", "mmu", "regulator")}
    owners = {f"owner-{i}": bill(10) for i in range(4)}
    return Dairy(parameters=replace(rules, staking=staking), balances=purses | owners)


class Era:
    """A cluster over short epochs, and words to tell its story."""

    def __init__(self, *, epoch_blocks: int = EPOCH_BLOCKS, joiners: tuple[SigningKey, ...] = ()):
        self.dairy = dairy_of(epoch_blocks)
        secrets = vrf_secrets(self.dairy) | {JOINER.public: secret("vrf-new")}
        self.net = Cluster(
            self.dairy.genesis, self.dairy.validator_keys, PARAMS, None, secrets, joiners
        )
        self.net.run(50)

    @property
    def live(self) -> list[Node]:
        return [node for node in self.net.nodes if node.is_up]

    def heights(self) -> set[int]:
        return {node.machine.application.height for node in self.live}

    def to_height(self, height: int, limit_ms: int = 300_000) -> None:
        """Run until every live node has a height, then let words under way arrive."""
        for _ in range(limit_ms // 100):
            if min(self.heights()) >= height:
                return
            self.net.run(100)
        raise AssertionError(f"stuck at {self.heights()}")

    def do(self, who: str, body: Body, at: int = 0) -> None:
        """Have a transaction made final, at the cost of a block or two."""
        signer, node = key(who), self.net.nodes[at]
        nonce = account(node.store, address_of(signer.public)).nonce
        raw = encode(self.dairy.transaction(body, signer, nonce))
        before = len(node.answers)
        self.net.feed(at, told.Submit(7, (raw,)))
        self.net.run(20)
        assert [a.code for a in node.answers[before].admissions] == [""]
        for _ in range(100):
            if account(node.store, address_of(signer.public)).nonce > nonce:
                return
            self.net.run(50)
        raise AssertionError("a transaction never became final")

    def join(self, who: str = "carol") -> None:
        text = possession_bytes(
            self.dairy.chain_id,
            address_of(key(who).public),
            JOINER.public,
            key("vrf-new").public,
        )
        body = RegisterValidator(JOINER.public, key("vrf-new").public, "new", 0, JOINER.sign(text))
        self.do(who, body)
        self.do(who, Bond(JOINER.public, bill(100)))

    def settled(self) -> None:
        """All live nodes agree to the byte, and nobody accuses anybody."""
        self.net.run(20)
        common = min(self.heights())
        for height in range(1, common + 1):
            assert len({node.store.block(height).raw for node in self.live}) == 1
        assert [w for node in self.net.nodes for w in node.warnings if w.peer is not None] == []
        assert [w for node in self.net.nodes for w in node.warnings if "invalid" in w.text] == []


def certificate_at(node: Node, height: int) -> Certificate:
    found = node.store.block(height)
    assert found is not None
    assert found.finalization
    return decode(found.finalization, Certificate, MESSAGE_BYTES_MAX)


def test_a_chain_runs_through_many_epochs_and_each_begins_at_view_one() -> None:
    era = Era()
    era.to_height(23)
    era.settled()
    node = era.net.nodes[0]
    for height in range(1, 24):
        header = node.store.block(height).block.header
        assert header.epoch == (height - 1) // EPOCH_BLOCKS
        if height % EPOCH_BLOCKS == 1:
            assert (header.view, header.parent_view) == (1, 0)
        assert len(header.vrf_proof) == 80
    assert node.machine.engine.epoch == 4


def test_each_boundary_block_has_a_finalization_of_its_own_committee() -> None:
    era = Era()
    era.to_height(3 * EPOCH_BLOCKS + 1)
    for node in era.net.nodes:
        for epoch in range(3):
            certificate = certificate_at(node, (epoch + 1) * EPOCH_BLOCKS)
            assert certificate.subject.kind is VoteKind.FINALIZE
            assert certificate.subject.epoch == epoch
            plan = era.net.nodes[0].machine.application.plan
            verify_certificate(plan.committee, era.dairy.chain_id, certificate)


def test_draws_reorder_the_leaders_of_each_epoch_alike_on_all_nodes() -> None:
    era = Era()
    seeds = {}
    for epoch in range(5):
        era.to_height(epoch * EPOCH_BLOCKS + 1)
        plans = {node.machine.application.plan.seed for node in era.net.nodes}
        assert len(plans) == 1
        (seeds[epoch],) = plans
    assert len(set(seeds.values())) == 5
    assert seed_of(era.net.nodes[0].store, 4) == seeds[4]


def test_epochs_of_one_block_are_epochs_too() -> None:
    era = Era(epoch_blocks=1)
    era.to_height(6)
    era.settled()
    assert era.net.nodes[0].machine.engine.epoch >= 6


def test_who_bonds_gets_its_seat_two_epochs_later_votes_and_leads() -> None:
    era = Era(joiners=(JOINER,))
    newcomer = era.net.nodes[4].machine
    era.join()
    joined = era.net.nodes[0].store.block(era.net.nodes[0].machine.application.height)
    begins = joined.block.header.epoch + 2
    era.to_height(begins * EPOCH_BLOCKS - 1)
    assert newcomer.engine.me is None
    era.to_height(begins * EPOCH_BLOCKS + 1)
    assert newcomer.engine.me is not None
    assert newcomer.application.plan.committee.member(JOINER.public) == newcomer.engine.me
    era.to_height((begins + 5) * EPOCH_BLOCKS)
    era.settled()
    proposers = {
        era.net.nodes[0].store.block(height).block.header.proposer
        for height in range(begins * EPOCH_BLOCKS + 1, (begins + 5) * EPOCH_BLOCKS)
    }
    assert address_of(key("carol").public) in proposers


def test_the_newcomers_stake_is_needed_for_quorums_of_its_epoch() -> None:
    era = Era(joiners=(JOINER,))
    era.join()
    era.to_height(3 * EPOCH_BLOCKS + 1)
    era.net.crash(1)
    era.net.crash(2)
    reached = max(era.heights())
    era.net.run(30_000)
    assert max(era.heights()) <= reached + 1, "three of five equal stakes are no quorum"
    era.net.restart(1)
    era.to_height(reached + 6)
    era.settled()


def test_who_unbonds_all_votes_until_its_seat_is_gone_and_then_follows() -> None:
    era = Era()
    gone = 2
    vote_key = era.net.keys[gone].public
    index = era.dairy.validator_keys.index(era.net.keys[gone])
    era.do(f"owner-{index}", Unbond(vote_key, bill(100)))
    begins = era.net.nodes[0].store.head().epoch + 2
    era.to_height(begins * EPOCH_BLOCKS)
    assert committee_of(era.net.nodes[0].store, begins).seat(vote_key) is None
    era.to_height((begins + 2) * EPOCH_BLOCKS + 2)
    assert era.net.nodes[gone].machine.engine.me is None
    assert era.net.nodes[gone].machine.application.plan.committee.member(vote_key) is None
    assert len(era.net.nodes[0].machine.application.plan.committee.seats) == 3
    era.settled()


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


def test_who_slept_through_epochs_syncs_block_by_block_from_committee_to_committee() -> None:
    era = Era(joiners=(JOINER,))
    era.net.crash(3)
    era.join()
    era.to_height(5 * EPOCH_BLOCKS + 2)
    assert len(era.net.nodes[0].machine.application.plan.committee.seats) == 5
    era.net.restart(3)
    era.to_height(5 * EPOCH_BLOCKS + 3)
    assert era.net.nodes[3].machine.engine.epoch == 5
    era.settled()


def is_finalize(event: told.Event) -> bool:
    """Tell whether an event brings a finalize vote or a finalization."""
    if not isinstance(event, told.PeerMessage) or event.channel is not Channel.CONSENSUS:
        return False
    message = decode_consensus(event.payload)
    about = message.subject if isinstance(message, Vote | Certificate) else None
    return about is not None and about.kind is VoteKind.FINALIZE


def deafen(net: Cluster, index: int, *, to: Callable[[told.Event], bool]) -> None:
    """Let a node miss the events that `to` picks."""
    original = net.post

    def post(at: int, event: told.Event, delay_ms: int = 0) -> None:
        if at != index or not to(event):
            original(at, event, delay_ms)

    net.post = post  # type: ignore[method-assign]  # The net of this test alone.


def test_who_missed_the_end_of_an_epoch_is_told_by_those_who_went_on() -> None:
    era = Era()
    era.to_height(EPOCH_BLOCKS - 1)
    deafen(era.net, 3, to=lambda event: isinstance(event, told.PeerMessage))
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


def test_votes_of_an_epoch_that_is_over_never_count() -> None:
    era = Era()
    era.to_height(EPOCH_BLOCKS + 1)
    node = era.net.nodes[0]
    view = node.machine.engine.view
    for member in range(1, 4):
        about = Subject(VoteKind.NULLIFY, Epoch(0), View(view), View(0), bytes(32))
        text = about.signing_bytes(era.dairy.chain_id)
        vote = Vote(about, Member(member), era.net.keys[member].sign(text))
        payload = encode_consensus(vote)
        era.net.feed(0, told.PeerMessage(Member(member), Channel.CONSENSUS, payload))
    assert node.machine.engine.view == view
    era.to_height(2 * EPOCH_BLOCKS)
    era.settled()


def test_peers_without_a_seat_are_heard_for_blocks_and_not_for_votes() -> None:
    era = Era(joiners=(JOINER,))
    about = Subject(VoteKind.NULLIFY, Epoch(0), View(1), View(0), bytes(32))
    vote = Vote(about, Member(0), JOINER.sign(about.signing_bytes(era.dairy.chain_id)))
    era.net.feed(0, told.PeerMessage(Member(4), Channel.CONSENSUS, encode_consensus(vote)))
    era.to_height(EPOCH_BLOCKS + 2)
    assert era.net.nodes[4].machine.application.height >= EPOCH_BLOCKS + 2
    era.settled()
    assert PublicKey(JOINER.public) == era.net.nodes[4].machine.book.key(Member(4))


def test_a_boundary_block_that_does_not_become_final_is_proposed_again_and_nothing_on_it() -> None:
    era = Era()
    era.to_height(EPOCH_BLOCKS - 1)
    seen: list[Proposal] = []
    held = {"on": True}
    original = era.net.post

    def post(at: int, event: told.Event, delay_ms: int = 0) -> None:
        if isinstance(event, told.PeerMessage) and event.channel is Channel.CONSENSUS:
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

    def post(at: int, event: told.Event, delay_ms: int = 0) -> None:
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


def feed_proposal(era: Era, again: bytes) -> list[str]:
    """Judge a block that is proposed on itself; give why it may not be."""
    node = era.net.nodes[0]
    application = node.machine.application
    check = Check(View(9), View(8), application.tip.hash, application.tip.hash, again)
    node.machine._now_ms = era.net.now_ms
    before = len(node.machine._effects)
    node.machine._check(check)
    return [e.text for e in node.machine._effects[before:] if isinstance(e, asked.Warn)]


def test_only_an_epochs_last_block_may_come_again_and_without_a_body() -> None:
    era = Era()
    era.to_height(2)
    (why,) = feed_proposal(era, b"")
    assert "no last block" in why


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("epoch", 1, "another chain or epoch"),
        ("committee_hash", bytes(32), "committees"),
        ("next_committee_hash", bytes(32), "committees"),
        ("evidence_root", bytes(32), "evidence"),
        ("vrf_proof", bytes(80), "VRF"),
        ("height", EPOCH_BLOCKS + 1, "height"),
    ],
)
def test_a_header_that_lies_about_its_epoch_is_refused(field: str, value: object, why: str) -> None:
    era = Era()
    application = era.net.nodes[0].machine.application
    leader = application.plan.leader(1)
    maker = era.net.nodes[leader].machine
    build = Build(View(1), View(0), application.tip.hash)
    built = maker.application.prepare(build, maker.mempool, era.net.now_ms)
    block = decode_block(built.raw)
    bent = replace(block, header=replace(block.header, **{field: value}))
    parsed = application.parse(encode(bent), bent.header.hash())
    with pytest.raises(BlockFault, match=why):
        application.execute(parsed)
    application.execute(application.parse(built.raw, built.hash))


def test_a_proof_of_another_view_or_leader_draws_nothing() -> None:
    era = Era()
    application = era.net.nodes[0].machine.application
    leaders = {application.plan.leader(view): view for view in range(1, 12)}
    (one, view), (other, _) = sorted(leaders.items())[:2]
    drawer, stranger = (era.net.nodes[m].machine.application for m in (one, other))
    proof = drawer._draw(view)
    assert len(application._drawn(view, proof)) == 64
    for bad in (stranger._draw(view), drawer._draw(view + 1), proof[:-1] + b"\x11"):
        with pytest.raises(BlockFault, match="VRF"):
            application._drawn(view, bad)


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
    lies = [Certificate(notarize, votes), certificate_at(source, EPOCH_BLOCKS + 1)]
    machine = assemble_again(era, sleeper)
    for lie in lies:
        with pytest.raises(BlockFault):
            machine._take_blocks(Member(0), wire.Blocks(blocks, lie, 7))
    assert machine.application.height == 0
    machine._take_blocks(Member(0), wire.Blocks(blocks, genuine, 7))
    assert machine.application.height == 2


def assemble_again(era: Era, node: Node) -> Machine:
    """A started machine over a node's store, connected with nobody."""
    machine = era.net.make(node.store, node.key, [])
    machine.handle(told.Start(), era.net.now_ms)
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


def test_blocks_that_are_final_elsewhere_and_stand_beside_ours_raise_the_alarm() -> None:
    ours, theirs = Era(), Era()
    theirs.do("alice", theirs.dairy.pay(address_of(key("bob").public), 5))
    ours.to_height(2)
    theirs.to_height(3)
    blocks = tuple(theirs.net.nodes[0].store.block(height).raw for height in (1, 2, 3))
    node = ours.net.nodes[0].machine
    reply = wire.Blocks(blocks, certificate_at(theirs.net.nodes[0], 3), 3)
    node._sync.heard(Member(1), 99)
    node._sync.step(node.application.height, ours.net.now_ms)
    event = told.PeerMessage(Member(1), Channel.SYNC, wire.encode_sync(reply))
    effects = node.handle(event, ours.net.now_ms)
    assert [e.text for e in effects if isinstance(e, asked.Warn) and "FORK" in e.text]
    assert node.forks == 1


def test_two_certificates_of_one_view_raise_the_alarm_and_make_evidence() -> None:
    era = Era()
    era.to_height(1)
    genuine = certificate_at(era.net.nodes[0], 1)
    rival = replace(genuine.subject, block_hash=bytes(32))
    text = rival.signing_bytes(era.dairy.chain_id)
    lie = Certificate(rival, tuple((m, era.net.keys[m].sign(text)) for m, _ in genuine.votes))
    era.net.feed(0, told.PeerMessage(Member(1), Channel.CONSENSUS, encode_consensus(lie)))
    machine = era.net.nodes[0].machine
    assert machine.forks == 1
    guilty = {era.net.keys[m].public for m, _ in genuine.votes if m != 0}
    assert {evidence.validator for evidence in machine.informer.evidence} == guilty
