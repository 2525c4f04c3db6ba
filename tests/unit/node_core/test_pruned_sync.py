"""A node that pruned what a peer asks for says so, and the peer goes on to who has it."""

import pytest

from consensus.params import Params
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.store import MemoryStore
from node.core import events as node_events
from node.core.sync import serve
from node.core.wire import Blocks, GetBlocks, Pruned, decode_sync, encode_sync
from tests.support.ledger.dairy import Dairy, key
from tests.support.node.cluster import Cluster
from tests.support.node.final_chain import fill

BOB = address_of(key("bob").public)
KEPT = 2


def test_a_store_serves_what_it_keeps_and_says_what_it_does_not():
    store = fill(MemoryStore(keep_blocks=KEPT)).store
    assert serve(store, 1, 6, 6) == serve(store, 4, 6, 6) == Pruned(5)
    assert serve(store, 7, 6, 6) is None
    answer = serve(store, 5, 6, 6)
    assert isinstance(answer, Blocks)
    assert len(answer.blocks) == KEPT


def test_the_answer_passes_over_the_wire():
    for message in (Pruned(7), GetBlocks(3)):
        assert decode_sync(encode_sync(message)) == message


@pytest.mark.parametrize("pruning", [[0, 1], [0, 1, 2]])
def test_a_node_that_was_away_catches_up_if_anyone_keeps_what_it_lacks(pruning):
    dairy = Dairy()
    stores = [MemoryStore(keep_blocks=KEPT) for _ in pruning]
    params = Params(heartbeat_ms=3_000)
    cluster = Cluster(dairy.genesis, dairy.validator_keys, params, stores=stores)
    cluster.run(50)
    cluster.crash(3)
    for nonce in range(6):
        payment = dairy.transaction(dairy.pay(BOB, 5), key("alice"), nonce)
        cluster.feed(0, node_events.Submit(nonce, (encode(payment),)))
        cluster.run(3_000)
    reached = cluster.nodes[0].machine.application.height
    assert all(cluster.nodes[index].store.kept_from > KEPT for index in pruning)
    cluster.restart(3)
    cluster.run(30_000)
    late = cluster.nodes[3]
    if len(pruning) < 3:
        assert late.machine.application.height >= reached
    else:
        assert late.machine.application.height == 0
        assert any("keeps blocks only from" in warning.text for warning in late.warnings)
