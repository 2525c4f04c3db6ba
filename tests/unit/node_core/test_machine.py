"""Four real cores: what goes in at one comes out final at all, through crashes and garbage."""

import pytest

from consensus.params import Params
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.keys import Signature, address_of
from ledger.state.tables import account
from ledger.types.transaction import Transaction
from node.client.views import Submission
from node.core import events as node_events
from node.core.events import Channel
from tests.support.ledger.dairy import NOW_MS, Dairy, bill, key
from tests.support.ledger.milking import Milking
from tests.support.node.cluster import Cluster

PARAMS = Params(heartbeat_ms=3_000)
BOB = address_of(key("bob").public)


@pytest.fixture
def dairy() -> Dairy:
    return Dairy()


@pytest.fixture
def cluster(dairy: Dairy) -> Cluster:
    made = Cluster(dairy.genesis, dairy.validator_keys, PARAMS)
    made.run(50)
    return made


def payment(dairy: Dairy, nonce: int, *, sender: str = "alice", units: int = 1_000) -> Transaction:
    return dairy.transaction(dairy.pay(BOB, units), key(sender), nonce)


def submit(cluster: Cluster, index: int, *transactions: Transaction) -> list[Submission]:
    before = len(cluster.nodes[index].answers)
    cluster.feed(index, node_events.Submit(1, tuple(map(encode, transactions))))
    cluster.run(5)
    (answer,) = cluster.nodes[index].answers[before:]
    return list(answer.submissions)


def heights(cluster: Cluster) -> set[int]:
    return {node.machine.application.height for node in cluster.nodes if node.is_up}


def roots(cluster: Cluster) -> set[bytes]:
    heads = [node.store.head() for node in cluster.nodes if node.is_up]
    return {head.state_root for head in heads if head is not None}


def test_a_payment_is_final_everywhere_within_a_few_delays(cluster: Cluster, dairy: Dairy) -> None:
    before = account(cluster.nodes[3].store, BOB).units
    assert submit(cluster, 0, payment(dairy, 0))[0].code == ""
    cluster.run(60)
    assert heights(cluster) == {1}
    assert len(roots(cluster)) == 1
    assert account(cluster.nodes[3].store, BOB).units == before + 1_000
    assert not any(node.warnings for node in cluster.nodes)


def test_an_idle_network_makes_no_block_before_the_heartbeat(cluster: Cluster) -> None:
    cluster.run(2_500)
    assert heights(cluster) == {0}
    cluster.run(1_000)
    assert heights(cluster) == {1}


def test_refusals_name_their_reason_and_disturb_nothing(cluster: Cluster, dairy: Dairy) -> None:
    other = Dairy(validators=7)
    forged = payment(dairy, 0)
    place, signature = forged.signatures[0]
    forged = Transaction(forged.intent, ((place, Signature(signature[::-1])),))
    refused = submit(
        cluster,
        0,
        payment(other, 0),
        payment(dairy, 900),
        payment(dairy, 0, units=bill(9_999)),
        forged,
        payment(dairy, 0, sender="stranger"),
        payment(dairy, 0),
    )
    codes = [submission.code for submission in refused]
    assert codes[0] == "wrong_chain"
    assert codes[1] == "bad_nonce"
    assert codes[3] == "bad_signature"
    assert codes[5] == ""
    assert all(codes[:5])
    assert all(submission.detail for submission in refused[:5])
    cluster.feed(0, node_events.Submit(2, (b"\xc1garbage",)))
    assert cluster.nodes[0].answers[-1].submissions[0].code == "malformed"
    cluster.run(60)
    assert heights(cluster) == {1}


def test_a_hundred_payments_of_one_sender_come_in_order(cluster: Cluster, dairy: Dairy) -> None:
    wanted = [payment(dairy, nonce) for nonce in range(100)]
    assert {a.code for a in submit(cluster, 1, *wanted)} == {""}
    cluster.run(300)
    assert account(cluster.nodes[0].store, address_of(key("alice").public)).nonce == 100
    assert all(len(node.machine.mempool) == 0 for node in cluster.nodes)


def test_three_of_four_go_on_and_the_fourth_catches_up(cluster: Cluster, dairy: Dairy) -> None:
    cluster.crash(2)
    for nonce in range(20):
        submit(cluster, 0, payment(dairy, nonce))
        cluster.run(1_500)
    assert heights(cluster) != {0}
    cluster.restart(2)
    cluster.run(4_000)
    assert len(heights(cluster)) == 1
    assert len(roots(cluster)) == 1
    assert account(cluster.nodes[2].store, address_of(key("alice").public)).nonce == 20


def test_all_crash_and_the_chain_goes_on_from_where_it_was(cluster: Cluster, dairy: Dairy) -> None:
    submit(cluster, 0, payment(dairy, 0))
    cluster.run(60)
    (reached,) = heights(cluster)
    for index in range(4):
        cluster.crash(index)
    for index in range(4):
        cluster.restart(index)
    assert heights(cluster) == {reached}
    submit(cluster, 3, payment(dairy, 1))
    cluster.run(2_000)
    assert heights(cluster) == {reached + 1}


def test_garbage_from_a_peer_is_a_warning_and_nothing_more(cluster: Cluster, dairy: Dairy) -> None:
    for channel in Channel:
        cluster.feed(0, node_events.PeerMessage(Member(1), channel, b"\xc1\xff garbage"))
    assert [warning.peer for warning in cluster.nodes[0].warnings] == [1, 1, 1]
    submit(cluster, 0, payment(dairy, 0))
    cluster.run(60)
    assert heights(cluster) == {1}


def test_a_mint_is_checked_by_all_and_credits_the_farms(dairy: Dairy) -> None:
    cluster = Cluster(dairy.genesis, dairy.validator_keys, PARAMS)
    cluster.now_ms = NOW_MS + 10_000
    cluster.run(50)
    for nonce, (sender, body) in enumerate(Milking(dairy).next().steps):
        made = dairy.transaction(body, sender, nonce)
        assert submit(cluster, 0, made)[0].code == ""
        cluster.run(100)
    farm = account(cluster.nodes[1].store, address_of(dairy.farm_keys[0].public))
    assert farm.units == bill(40) * 9 // 10


def test_a_lone_validator_makes_one_block_of_one_payment() -> None:
    """Its own stake is a quorum: nothing but the lack of work keeps it from proposing on."""
    dairy = Dairy(validators=1)
    cluster = Cluster(dairy.genesis, dairy.validator_keys, PARAMS)
    cluster.run(50)
    assert submit(cluster, 0, payment(dairy, 0))[0].code == ""
    cluster.run(60)
    assert heights(cluster) == {1}
