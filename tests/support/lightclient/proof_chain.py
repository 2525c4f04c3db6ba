"""A chain for proofs: real headers, committees and certificates over blocks that nobody executed.

Epochs of `EPOCH_BLOCKS` blocks, each with a committee of its own; the state roots are made up, for
a light client never looks below them. Everything comes from fixed seeds.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from consensus.messages import Certificate, Subject
from consensus.quorum import assemble
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.committee import Committee, Member, Seat
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address, Policy, Seed, SigningKey
from ledger.primitives.merkle import EMPTY_ROOT, merkle_root
from ledger.primitives.scalars import Epoch
from ledger.primitives.votes import VoteKind
from ledger.types.block import Block, Header, Receipt
from ledger.types.transaction import Intent, Transaction, sign
from ledger.types.transfer import Transfer
from node.lightclient import Anchor, Link, Material, Proof, make_proof

CHAIN_ID = Hash(bytes(range(32)))
START_MS = 1_760_000_000_000
EPOCH_BLOCKS = 4
STAKES = ((5, 4, 3, 1), (5, 4, 3, 1), (1, 1, 1, 1, 1, 1, 1), (9, 1, 1))
PAYEE = Address(bytes([0xAB]) * 32)


def make_seed(name: str) -> Seed:
    """Make the secret that a name always gives."""
    return Seed(blake2b(name.encode(), digest_size=32).digest())


def make_key(name: str) -> SigningKey:
    """Make the key that a name always gives."""
    return SigningKey(make_seed(name))


def payment(nonce: int, units: int = 1_800_000) -> Transaction:
    """Sign a transfer with a reference."""
    payer = make_key("payer")
    intent = Intent(
        CHAIN_ID,
        Policy.single(payer.public),
        nonce,
        Units(100),
        1_000_000,
        Transfer(PAYEE, Units(units), bytes([nonce % 256]) * 32, ()),
    )
    return sign(intent, payer)


@dataclass
class ProofChain:
    """Blocks from height 1 on. `branch` makes another chain of the same committees."""

    branch: int = 0
    epoch_blocks: int = field(default=EPOCH_BLOCKS, kw_only=True)
    stakes: tuple[tuple[int, ...], ...] = STAKES
    headers: list[Header] = field(default_factory=list)
    bodies: list[tuple[Block, tuple[Receipt, ...]]] = field(default_factory=list)
    nonce: int = 0

    def keys(self, epoch: int) -> list[SigningKey]:
        """Give an epoch's keys by member. Each epoch replaces the first member of the last."""
        count = len(self.stakes[epoch])
        keys = [make_key(f"validator-{epoch + i}") for i in range(count)]
        return sorted(keys, key=lambda key: key.public)

    def seed_of(self, epoch: int, member: int) -> Seed:
        """Give the secret behind a member's key."""
        names = (f"validator-{epoch + i}" for i in range(len(self.stakes[epoch])))
        wanted = self.keys(epoch)[member].public
        return next(seed for seed in map(make_seed, names) if SigningKey(seed).public == wanted)

    def committee(self, epoch: int) -> Committee:
        """Give an epoch's committee."""
        pairs = zip(self.keys(epoch), self.stakes[epoch], strict=True)
        vrf_key = make_key("vrf").public
        return Committee(tuple(Seat(key.public, vrf_key, stake) for key, stake in pairs))

    def anchor(self, epoch: int = 0) -> Anchor:
        """Trust an epoch's committee as of its first block."""
        time_ms = START_MS + 1_000 * epoch * self.epoch_blocks
        return Anchor(CHAIN_ID, "dbill", Epoch(epoch), time_ms, self.committee(epoch))

    def add(self, count: int = 1, *, raws=None, receipts=None, **fields) -> int:
        """Add a block of payments; every third one failed. Give its height."""
        height = len(self.headers) + 1
        epoch = (height - 1) // self.epoch_blocks
        if raws is None:
            paid = [payment(self.nonce + i) for i in range(count)]
            self.nonce += count
            raws = tuple(encode(each) for each in paid)
            receipts = tuple(
                Receipt(each.id, "insufficient_funds" if i % 3 == 2 else "", Units(100))
                for i, each in enumerate(paid)
            )
        view = 2 * ((height - 1) % self.epoch_blocks) + 1
        header = Header(
            chain_id=CHAIN_ID,
            epoch=epoch,
            view=view,
            height=height,
            parent_view=max(view - 2, 0),
            parent_hash=self.headers[-1].hash() if self.headers else ZERO_HASH,
            time_ms=START_MS + 1_000 * height,
            proposer=Address(bytes([self.branch]) * 32),
            transactions_root=merkle_root(raws),
            receipts_root=merkle_root([encode(receipt) for receipt in receipts]),
            state_root=Hash(bytes([height % 256]) * 32),
            committee_hash=self.committee(epoch).hash,
            next_committee_hash=self.committee(min(epoch + 1, len(self.stakes) - 1)).hash,
            evidence_root=EMPTY_ROOT,
            vrf_proof=bytes(80),
        )
        header = msgspec.structs.replace(header, **fields)
        self.headers.append(header)
        self.bodies.append((Block(header, raws), receipts))
        return height

    def header(self, height: int) -> Header:
        """Give the header of a height."""
        return self.headers[height - 1]

    def certify(self, height: int, *, members=None, **fields) -> Certificate:
        """Finalize a block by the fewest members, or by those that are named."""
        header = self.header(height)
        subject = Subject(
            VoteKind.FINALIZE, header.epoch, header.view, header.parent_view, header.hash()
        )
        subject = msgspec.structs.replace(subject, **fields)
        text, keys = subject.signing_bytes(CHAIN_ID), self.keys(header.epoch)
        if members is not None:
            votes = tuple((Member(m), keys[m % len(keys)].sign(text)) for m in members)
            return Certificate(subject, votes)
        signatures = {Member(i): key.sign(text) for i, key in enumerate(keys)}
        found = assemble(self.committee(header.epoch), subject, signatures)
        assert found is not None
        return found

    def link(self, epoch: int) -> Link:
        """Lead from an epoch to the next by its boundary."""
        height = (epoch + 1) * self.epoch_blocks
        return Link(self.header(height), self.certify(height), self.committee(epoch + 1).seats)

    def proof(self, height: int, index: int = 0, head: int | None = None, start: int = 0) -> Proof:
        """Prove a transaction by the finalization of block `head`, from epoch `start` on."""
        head = head or height
        block, receipts = self.bodies[height - 1]
        return make_proof(
            Material(
                tuple(self.link(epoch) for epoch in range(start, self.header(head).epoch)),
                tuple(self.header(at) for at in range(head, height - 1, -1)),
                self.certify(head),
                block,
                receipts,
                index,
            )
        )


def grown(blocks: int = 14, branch: int = 0) -> ProofChain:
    """Grow a chain whose block h holds h payments."""
    chain = ProofChain(branch)
    for height in range(1, blocks + 1):
        chain.add(height)
    return chain
