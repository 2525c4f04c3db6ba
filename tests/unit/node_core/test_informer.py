"""Equivocation that one core sees ends as a slash in every state, once; the honest keep all."""

from collections.abc import Iterator

import pytest

from consensus.effects import Misbehaviour
from consensus.messages import Subject, Vote
from consensus.params import Params
from ledger.primitives.committee import Member
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.keys import address_of
from ledger.primitives.scalars import Epoch, View
from ledger.primitives.votes import VoteKind
from ledger.state.tables import VALIDATORS
from node.core import events as node_events
from node.core.events import Channel
from node.core.informer import KEPT_MAX, RETRY_BLOCKS, Informer
from node.core.wire import encode_consensus
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.node.cluster import Cluster

PARAMS = Params(heartbeat_ms=3_000)
CULPRIT = 2


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    dairy = Dairy()
    made = Cluster(dairy.genesis, dairy.validator_keys, PARAMS, key("alice"))
    made.crash(CULPRIT)  # It says only what the tests let it say.
    made.run(50)
    yield made
    stakes = [stake(made, member) for member in range(4) if member != CULPRIT]
    assert stakes == [bill(100)] * 3, "the honest keep their stake"


def vote(cluster: Cluster, kind: VoteKind, name: bytes, view: int = 1) -> Vote:
    """A vote of the culprit's."""
    block = Hash(bytes(32)) if kind is VoteKind.NULLIFY else digest(Domain.BLOCK, name)
    about = Subject(kind, Epoch(0), View(view), View(0), block)
    text = about.signing_bytes(cluster.genesis.chain_id)
    return Vote(about, Member(CULPRIT), cluster.keys[CULPRIT].sign(text))


def tell(cluster: Cluster, index: int, *votes: Vote) -> None:
    for each in votes:
        payload = encode_consensus(each)
        cluster.feed(index, node_events.PeerMessage(Member(CULPRIT), Channel.CONSENSUS, payload))


def stake(cluster: Cluster, member: int) -> int:
    record = VALIDATORS.get(cluster.nodes[0].store, cluster.keys[member].public)
    assert record is not None
    return record.stake_units


def test_two_votes_seen_by_one_cost_the_culprit_its_stake_everywhere(cluster: Cluster) -> None:
    tell(cluster, 0, *(vote(cluster, VoteKind.FINALIZE, name) for name in (b"one", b"other")))
    cluster.run(3_000)
    assert stake(cluster, CULPRIT) == bill(95)
    roots = {node.store.head().state_root for node in cluster.nodes if node.is_up}
    assert len(roots) == 1
    assert len(cluster.nodes[0].machine.informer.evidence) == 1


def test_what_all_report_is_punished_once(cluster: Cluster) -> None:
    votes = [vote(cluster, VoteKind.FINALIZE, name) for name in (b"one", b"other")]
    for index in (0, 1, 3):
        tell(cluster, index, *votes)
    cluster.run(60_000)
    assert stake(cluster, CULPRIT) == bill(95)
    height = cluster.nodes[0].machine.application.height
    blocks = [cluster.nodes[0].store.block(at) for at in range(1, height + 1)]
    reports = sum(len(block.block.transactions) for block in blocks if block is not None)
    assert reports == 1, "one account reports with one nonce, and nobody goes on afterwards"


def test_reports_made_in_one_breath_never_take_the_same_nonce(cluster: Cluster) -> None:
    for view in (1, 2):
        names = (b"one", b"other")
        tell(cluster, 0, *(vote(cluster, VoteKind.FINALIZE, name, view) for name in names))
    pool, account = cluster.nodes[0].machine.mempool, address_of(key("alice").public)
    assert len(pool) == pool.expected_nonce(account, 0) == 2


def test_notarize_and_nullify_cost_nothing(cluster: Cluster) -> None:
    tell(cluster, 0, vote(cluster, VoteKind.NOTARIZE, b"one"), vote(cluster, VoteKind.NULLIFY, b""))
    cluster.run(4_000)
    assert stake(cluster, CULPRIT) == bill(100)
    assert cluster.nodes[0].machine.informer.evidence == ()


def test_without_an_account_an_offence_is_kept_and_not_reported() -> None:
    dairy = Dairy()
    cluster = Cluster(dairy.genesis, dairy.validator_keys, PARAMS)
    cluster.run(50)
    tell(cluster, 0, *(vote(cluster, VoteKind.FINALIZE, name) for name in (b"one", b"other")))
    cluster.run(4_000)
    assert stake(cluster, CULPRIT) == bill(100)
    assert len(cluster.nodes[0].machine.informer.evidence) == 1


def test_a_report_that_had_no_effect_is_made_anew_and_no_sooner(cluster: Cluster) -> None:
    informer = Informer(cluster.genesis.chain_id, key("alice"))
    committee, state = cluster.genesis.committee, cluster.nodes[0].store
    proof = vote(cluster, VoteKind.FINALIZE, b"one"), vote(cluster, VoteKind.FINALIZE, b"other")
    informer.note(committee, Misbehaviour(Member(CULPRIT), "", proof))
    (first,) = informer.reports(state, 1, 0)
    assert list(informer.reports(state, RETRY_BLOCKS, 0)) == []
    (again,) = informer.reports(state, 1 + RETRY_BLOCKS, 0)
    assert first.intent.body == again.intent.body
    assert first.intent.valid_until_height < 1 + RETRY_BLOCKS, "never both in one chain"


def test_offences_kept_are_bounded_and_one_a_view(cluster: Cluster) -> None:
    informer = Informer(cluster.genesis.chain_id, None)
    committee = cluster.genesis.committee
    for view in range(1, KEPT_MAX + 10):
        for other in (b"other", b"third"):
            proof = (
                vote(cluster, VoteKind.FINALIZE, b"one", view),
                vote(cluster, VoteKind.FINALIZE, other, view),
            )
            informer.note(committee, Misbehaviour(Member(CULPRIT), "", proof))
    assert len(informer.evidence) == KEPT_MAX
    assert list(informer.reports(cluster.nodes[0].store, 1, 0)) == []


def test_an_offence_outlives_a_restart_long_after_its_view() -> None:
    dairy = Dairy()
    cluster = Cluster(dairy.genesis, dairy.validator_keys, PARAMS)
    cluster.run(50)
    tell(cluster, 0, *(vote(cluster, VoteKind.FINALIZE, name) for name in (b"one", b"other")))
    node = cluster.nodes[0]
    (known,) = node.machine.informer.evidence
    cluster.run(60_000)
    assert node.machine.engine.floor.block.view > known.first.view
    for _ in range(2):
        before = len(node.journal)
        cluster.crash(0)
        cluster.restart(0)
        assert node.machine.informer.evidence == (known,)
        node.journal[:before] = []  # What was written before this start is pruned.
    cluster.run(4_000)
    assert len(node.warnings) == 1, "it is no news any more"


def test_what_the_ledger_has_settled_is_not_written_down_again(cluster: Cluster) -> None:
    votes = [vote(cluster, VoteKind.FINALIZE, name) for name in (b"one", b"other")]
    tell(cluster, 0, *votes)
    assert set(cluster.nodes[0].machine.informer.unsettled()) == set(votes)
    cluster.run(60_000)
    assert stake(cluster, CULPRIT) == bill(95)
    assert list(cluster.nodes[0].machine.informer.unsettled()) == []
