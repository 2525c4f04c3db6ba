"""A transaction that came in at one node reaches all, whoever was away; and batches are small."""

from itertools import pairwise

import pytest

from consensus.params import Params
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.keys import address_of
from ledger.types.transaction import TRANSACTION_BYTES_MAX, Transaction
from node.core import effects as node_effects
from node.core import events as node_events
from node.core.events import Channel
from node.core.intake import RETOLD_MS, cut_batches
from node.core.wire import GOSSIP_BYTES_MAX, TX_BATCH_MAX, TransactionBatch, decode_batch
from tests.support.ledger.dairy import Dairy, key
from tests.support.node.cluster import Cluster

BOB = address_of(key("bob").public)


@pytest.mark.parametrize("size", [1, 60, 250, GOSSIP_BYTES_MAX, TRANSACTION_BYTES_MAX])
def test_every_batch_that_is_sent_can_be_received(size: int) -> None:
    raws = [bytes(size)] * 1_500
    batches = cut_batches(raws)
    assert [raw for batch in batches for raw in batch] == raws
    for batch in batches:
        assert batch
        assert decode_batch(encode(TransactionBatch(tuple(batch)))).transactions == tuple(batch)


def test_a_batch_that_would_keep_votes_waiting_is_no_message() -> None:
    for batch in ([bytes(250)] * TX_BATCH_MAX, [b""] * (TX_BATCH_MAX + 1)):
        with pytest.raises(PrimitiveFault):
            decode_batch(encode(TransactionBatch(tuple(batch))))


class Alone:
    """A cluster of which one node is cut off from the others' transactions."""

    def __init__(self) -> None:
        self.dairy = Dairy()
        # The others never lead before the test is over: nothing but gossip carries transactions.
        self.net = Cluster(self.dairy.genesis, self.dairy.validator_keys, Params())
        self.post, self.is_cut = self.net.post, True
        self.net.post = self._post  # type: ignore[method-assign]  # The net of this test alone.
        self.net.run(50)

    def _post(self, index: int, event: node_events.Event, delay_ms: int = 0) -> None:
        lost = isinstance(event, node_events.PeerMessage) and event.channel is not Channel.SYNC
        if not (self.is_cut and lost):
            self.post(index, event, delay_ms)

    def submit(self) -> Transaction:
        paid = self.dairy.transaction(self.dairy.pay(BOB, 1_000), key("alice"), 0)
        self.net.feed(0, node_events.Submit(1, (encode(paid),)))
        self.net.run(100)
        return paid

    def knows(self, index: int, paid: Transaction) -> bool:
        return paid.id in self.net.nodes[index].machine.mempool


def told_to(effects: list[node_effects.Effect], peer: int) -> list[bytes]:
    sends = [e for e in effects if isinstance(e, node_effects.SendTo) and e.peer == peer]
    return [e.payload for e in sends if e.channel is Channel.TRANSACTIONS]


def test_a_peer_that_connects_is_told_what_waits() -> None:
    alone = Alone()
    paid = alone.submit()
    assert not alone.knows(2, paid)
    machine = alone.net.nodes[0].machine
    effects = machine.handle(node_events.PeerUp(Member(2)), alone.net.now_ms, alone.net.now_ms)
    (payload,) = told_to(effects, 2)
    assert decode_batch(payload).transactions == (encode(paid),)
    nothing = alone.net.nodes[1].machine.handle(
        node_events.PeerUp(Member(2)), alone.net.now_ms, alone.net.now_ms
    )
    assert told_to(nothing, 2) == []


def test_what_was_lost_on_its_way_is_told_again() -> None:
    alone = Alone()
    paid = alone.submit()
    machine = alone.net.nodes[0].machine
    times_ms = []
    machine_at_ms = alone.net.now_ms
    while len(times_ms) < 3:
        due_ms = machine.deadline_ms
        assert due_ms is not None
        machine_at_ms = max(machine_at_ms, due_ms)
        for effect in machine.handle(node_events.Tick(), machine_at_ms, machine_at_ms):
            if isinstance(effect, node_effects.SendAll) and effect.channel is Channel.TRANSACTIONS:
                assert decode_batch(effect.payload).transactions == (encode(paid),)
                times_ms.append(machine_at_ms)
    gaps = [b - a for a, b in pairwise(times_ms)]
    assert gaps == [2 * RETOLD_MS, 4 * RETOLD_MS]
