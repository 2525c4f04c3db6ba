"""A chain on disk whose blocks are final by real certificates, in the home of a stopped node."""

import dataclasses
from pathlib import Path

import msgspec

from consensus import vrf
from consensus.leader import Schedule, draw_bytes, first_seed
from consensus.messages import Certificate, Subject
from consensus.quorum import assemble
from ledger.genesis import format_genesis
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.keys import address_of
from ledger.primitives.votes import VoteKind
from ledger.state.tables import account
from ledger.store import ChainStore
from ledger.store.disk import DiskStore
from ledger.types.block import Block
from tests.support.ledger.dairy import Chain, Dairy, key
from tests.support.ledger.milking import make_lots
from tests.support.node.cluster import secret

ALICE = key("alice")
TO_BOB = address_of(key("bob").public)


class DrawingDairy(Dairy):
    """A dairy whose leaders draw. Views are heights here: no view is ever lost."""

    def context(self, height, time_ms):
        context = super().context(height, time_ms)
        return dataclasses.replace(context, draw=vrf.proof_to_hash(self.prove(height)))

    def prove(self, view):
        committee = self.genesis.committee
        seed = first_seed(self.chain_id)
        leader = committee.seats[Schedule(seed, committee).leader(view)]
        numbers = {signer.public: i for i, signer in enumerate(self.validator_keys)}
        return vrf.prove(secret(f"vrf-{numbers[leader.key]}"), draw_bytes(seed, 0, view))


class FinalChain(Chain):
    """Blocks with their leaders' draws, and finalizations that a quorum of validators signed."""

    def execute(self, *arguments, **options):
        step, outcome = super().execute(*arguments, **options)
        header = step.block.header
        header = msgspec.structs.replace(header, vrf_proof=self.dairy.prove(header.view))
        block = Block(header, step.block.transactions)
        step = dataclasses.replace(step, block=block, raw=encode(block))
        return dataclasses.replace(step, finalization=encode(self.certify(step))), outcome

    def certify(self, step) -> Certificate:
        """Let every validator vote that a block is final."""
        committee = self.dairy.genesis.committee
        header = step.block.header
        subject = Subject(
            VoteKind.FINALIZE, header.epoch, header.view, header.parent_view, header.hash()
        )
        text = subject.signing_bytes(self.dairy.chain_id)
        votes = {}
        for signer in self.dairy.validator_keys:
            member = committee.member(signer.public)
            assert member is not None
            votes[Member(member)] = signer.sign(text)
        made = assemble(committee, subject, votes)
        assert made is not None
        return made


def fill(store: ChainStore, payments: int = 4) -> FinalChain:
    """Make a chain with a mint, payments and a sale; its first block is empty."""
    chain = FinalChain(DrawingDairy(), store)
    dairy = chain.dairy
    chain.block()
    (lot,) = make_lots(chain, 1)
    for _ in range(payments):
        nonce = account(store, address_of(ALICE.public)).nonce
        pair = [dairy.pay(TO_BOB, 5), dairy.pay(TO_BOB, 9, (lot, 7))]
        chain.block(*(dairy.transaction(b, ALICE, nonce + i) for i, b in enumerate(pair)))
    return chain


def make_home(home: Path, payments: int = 4, keep_blocks: int = 0) -> Dairy:
    """Make the home of a node that ran and was stopped."""
    home.mkdir(parents=True)
    store = DiskStore(home / "ledger", keep_blocks=keep_blocks)
    dairy = fill(store, payments).dairy
    store.close()
    (home / "genesis.json").write_text(format_genesis(dairy.genesis))
    return dairy
