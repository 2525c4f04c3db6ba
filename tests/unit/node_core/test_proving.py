"""A node proves what its store holds as final, and says what it lacks for the rest."""

import msgspec
import pytest

from consensus.params import Params
from ledger.params import default_parameters
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of
from ledger.rules.epochs import committee_of
from ledger.state import EMPTY, Overlay
from ledger.state.tables import PARAMETERS, parameters
from ledger.store.answers import StoredBlock
from ledger.store.schema import Location
from node.core import events as node_events
from node.core.proving import LINKS_KEPT, Lack, Prover
from node.lightclient import anchor_of, make_proof, verify_proof
from node.lightclient.types import LINKS_MAX
from tests.support.ledger.dairy import Dairy, bill, key
from tests.support.lightclient.proof_chain import EPOCH_BLOCKS, ProofChain, grown
from tests.support.node.cluster import Cluster
from tests.support.node.era import Era

BOB = address_of(key("bob").public)


class ProofStore:
    """A store that holds a `ProofChain`, with finalizations at some heights alone."""

    def __init__(self, chain: ProofChain, certified: set[int], pruned: int = 0) -> None:
        self.chain, self.certified, self.pruned = chain, certified, pruned
        self.looked_up = 0
        overlay = Overlay(EMPTY)
        rules = default_parameters(development=True)
        staking = msgspec.structs.replace(rules.staking, epoch_blocks=EPOCH_BLOCKS)
        PARAMETERS.put(overlay, msgspec.structs.replace(rules, staking=staking))
        self.get = overlay.get

    def committee(self, epoch):
        if epoch >= len(self.chain.stakes):
            return None
        return self.chain.committee(epoch)

    def place_of(self, txid):
        for height, (_, receipts) in enumerate(self.chain.bodies, 1):
            for index, receipt in enumerate(receipts):
                if receipt.txid == txid:
                    return Location(height, index)
        return None

    def header(self, height):
        self.looked_up += 1
        return self.chain.header(height) if height <= len(self.chain.headers) else None

    def finalization(self, height):
        return encode(self.chain.certify(height)) if height in self.certified else None

    def block(self, height):
        if height <= self.pruned:
            return None
        block, receipts = self.chain.bodies[height - 1]
        return StoredBlock(block, encode(block), receipts, self.finalization(height))


@pytest.fixture(scope="module")
def chain():
    return grown()


def txid(chain, height, index=0):
    return chain.bodies[height - 1][1][index].txid


def collect(chain, height, *, certified=frozenset(range(1, 15)), start=0, **fields):
    return Prover(ProofStore(chain, certified, **fields)).collect(txid(chain, height), start)


@pytest.mark.parametrize("height", [1, 4, 5, 9, 14])
def test_what_is_final_is_proven_from_the_first_epoch(chain, height):
    raw = encode(make_proof(collect(chain, height).material))
    assert verify_proof(raw, chain.anchor(), chain.header(14).time_ms).block.height == height


def test_the_first_finalization_above_serves_a_block_without_its_own(chain):
    material = collect(chain, 6, certified={4, 8}).material
    assert [header.height for header in material.headers] == [8, 7, 6]
    proven = verify_proof(encode(make_proof(material)), chain.anchor(), chain.header(14).time_ms)
    assert proven.block.height == 6


def test_links_begin_at_the_epoch_that_was_asked_for(chain):
    assert len(collect(chain, 14).material.links) == 3
    assert [link.header.epoch for link in collect(chain, 14, start=2).material.links] == [2]
    assert collect(chain, 2, start=3).material.links == ()


def test_links_are_looked_up_once(chain):
    store = ProofStore(chain, set(range(1, 15)))
    prover = Prover(store)
    first = prover.collect(txid(chain, 14), 0)
    before = store.looked_up
    assert prover.collect(txid(chain, 14), 0) == first
    assert store.looked_up == before + 1, "the payment's own header alone"
    assert LINKS_KEPT >= LINKS_MAX


def lack(answer):
    assert answer.material is None
    assert answer.detail
    return answer.lack


def test_what_is_not_final_has_no_proof_yet(chain):
    assert lack(Prover(ProofStore(chain, set())).collect(bytes(32), 0)) is Lack.NOT_FINAL


def test_what_a_store_lacks_is_told(chain):
    assert lack(collect(chain, 6, certified={4})) is Lack.NO_PROOF
    assert lack(collect(chain, 3, pruned=3)) is Lack.NO_PROOF
    assert lack(collect(chain, 6, certified={8})) is Lack.NO_PROOF, "the boundary's certificate"


def test_a_proof_does_not_lead_over_more_epochs_than_one_may(chain):
    class Old(ProofStore):
        def header(self, height):
            return msgspec.structs.replace(super().header(height), epoch=LINKS_MAX + 1)

    answer = Prover(Old(chain, {1})).collect(txid(chain, 1), 0)
    assert lack(answer) is Lack.NO_PROOF
    assert f"a proof leads over {LINKS_MAX}" in answer.detail


def test_real_validators_prove_what_they_finalized():
    dairy = Dairy()
    cluster = Cluster(dairy.genesis, dairy.validator_keys, Params(heartbeat_ms=3_000))
    cluster.run(50)
    # Each can be paid alone, the second not after the first: it stands in a block as failed.
    paid = [dairy.transaction(dairy.pay(BOB, bill(600)), key("alice"), n) for n in range(2)]
    cluster.feed(0, node_events.Submit(1, tuple(map(encode, paid))))
    cluster.run(4_000)
    anchor = anchor_of(dairy.genesis)
    for node in cluster.nodes:
        for transaction in paid:
            material = Prover(node.store).collect(transaction.id, 0).material
            proven = verify_proof(encode(make_proof(material)), anchor, cluster.now_ms)
            assert proven.transaction == transaction
            assert proven.took_effect == (transaction is paid[0])


def test_a_transaction_of_an_epoch_long_past_is_proven_from_the_genesis():
    era = Era(epoch_blocks=2)
    evidence_epochs = parameters(era.net.nodes[0].store).staking.evidence_epochs
    era.to_height(3)
    paid = [era.dairy.pay(BOB, bill(1)) for _ in range(2)]
    era.do("alice", paid[0])
    long_past = era.net.nodes[0].store.history(BOB)[0]
    first_epoch = era.net.nodes[0].store.header(long_past.height).epoch
    assert first_epoch in (1, 2)
    era.to_height((first_epoch + evidence_epochs + 3) * 2)
    era.do("alice", paid[1])
    anchor = anchor_of(era.dairy.genesis)
    for node in era.net.nodes:
        assert committee_of(node.store, first_epoch) is None, "the state has forgotten it"
        for entry in node.store.history(BOB)[:2]:
            material = Prover(node.store).collect(entry.txid, 0).material
            proven = verify_proof(encode(make_proof(material)), anchor, era.net.now_ms)
            assert (proven.block.height, proven.took_effect) == (entry.height, True)
