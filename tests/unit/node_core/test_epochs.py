"""Several epochs on real cores: committees change two epochs later, and all agree."""

from consensus.messages import Subject, Vote
from consensus.quorum import verify_certificate
from ledger.primitives.committee import Member
from ledger.primitives.keys import PublicKey, address_of
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from ledger.rules.epochs import committee_of, seed_of
from ledger.types.staking import Unbond
from node.core import events as node_events
from node.core.events import Channel
from node.core.wire import encode_consensus
from tests.support.ledger.dairy import bill, key
from tests.support.node.era import EPOCH_BLOCKS, JOINER, Era, certificate_at


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
        era.net.feed(0, node_events.PeerMessage(Member(member), Channel.CONSENSUS, payload))
    assert node.machine.engine.view == view
    era.to_height(2 * EPOCH_BLOCKS)
    era.settled()


def test_peers_without_a_seat_are_heard_for_blocks_and_not_for_votes() -> None:
    era = Era(joiners=(JOINER,))
    about = Subject(VoteKind.NULLIFY, Epoch(0), View(1), View(0), bytes(32))
    vote = Vote(about, Member(0), JOINER.sign(about.signing_bytes(era.dairy.chain_id)))
    era.net.feed(0, node_events.PeerMessage(Member(4), Channel.CONSENSUS, encode_consensus(vote)))
    era.to_height(EPOCH_BLOCKS + 2)
    assert era.net.nodes[4].machine.application.height >= EPOCH_BLOCKS + 2
    era.settled()
    assert PublicKey(JOINER.public) == era.net.nodes[4].machine.book.key(Member(4))
