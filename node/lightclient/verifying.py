"""The checks of a proof, in the order of docs/spec/proofs.md §5: the first that fails names why.

A verified proof says: on this chain, the transaction stands in this block with this outcome, and
the block is final. It does not say that the verifier's clock is right or its anchor honest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from consensus.errors import BadCertificate
from consensus.messages import Certificate
from consensus.quorum import verify_certificate
from ledger.primitives.codec import encode
from ledger.primitives.committee import Committee
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Domain, Hash, digest
from ledger.primitives.merkle import leaf_hash
from ledger.primitives.scalars import Epoch
from ledger.primitives.votes import VoteKind
from ledger.types.block import Header, Receipt
from ledger.types.transaction import Transaction, TxId, decode_transaction
from node.lightclient import errors
from node.lightclient.anchor import Anchor, seat_committee
from node.lightclient.types import Link, MerkleStep, Proof, decode_proof

DAY_MS: Final = 86_400_000
TRUSTING_MS: Final = 14 * DAY_MS
"""How long an anchor is good, unless its user knows the chain's unbonding time better."""
CLOCK_DRIFT_MS: Final = 600_000
"""How far a block may be ahead of the verifier's clock, which may be a till's or a phone's."""


@dataclass(frozen=True, slots=True)
class FinalHeader:
    """A header that is final: by which certificate, of which committee."""

    header: Header
    finalization: Certificate
    committee: Committee


@dataclass(frozen=True, slots=True)
class ProvenTransaction:
    """What a proof that verified proves. `anchor` is a newer one to keep.

    `block` is the header of the transaction's block, `final_headers` are what was found final
    on the way, the one that makes that block final last.
    """

    txid: TxId
    transaction: Transaction
    receipt: Receipt
    block: Header
    block_hash: Hash
    final_headers: tuple[FinalHeader, ...]
    anchor: Anchor

    @property
    def took_effect(self) -> bool:
        """Tell whether the transaction did what it says; else it paid its fee and failed."""
        return not self.receipt.code


def verify_proof(
    raw: bytes, anchor: Anchor, now_ms: int, trusting_ms: int = TRUSTING_MS
) -> ProvenTransaction:
    """Verify a proof from an anchor on; raise the `ProofFault` that says why it proves nothing.

    - `raw`: the proof file, of at most `PROOF_BYTES_MAX`, from anybody.
    - `anchor`: the committee that is trusted, from `parse_anchor` or an earlier proof's `anchor`.
    - `now_ms`: the verifier's clock, UTC milliseconds.
    - `trusting_ms`: how old the anchor may be: less than the chain's unbonding time.

    A `ProofFault` has a stable `code`.
    """
    proof = decode_proof(raw)
    if now_ms > anchor.time_ms + trusting_ms:
        days = (now_ms - anchor.time_ms) // DAY_MS
        raise errors.AnchorExpired(
            f"the anchor is {days} days old, and only good for {trusting_ms // DAY_MS}: "
            f"get a newer one from somebody you trust"
        )
    if proof.chain_id != anchor.chain_id:
        raise errors.OtherChain(
            f"it is of the chain {proof.chain_id.hex()}, the anchor of {anchor.chain_id.hex()}"
        )
    links, committee = _follow(proof, anchor)
    last = check_final(proof.header, proof.finalization, committee, anchor.chain_id)
    if proof.header.time_ms > now_ms + CLOCK_DRIFT_MS:
        raise errors.FutureBlock(
            f"the final block is {(proof.header.time_ms - now_ms) // 1_000} s ahead of this clock"
        )
    _descend(proof, anchor.chain_id)
    transaction = _check_inclusion(proof)
    return ProvenTransaction(
        transaction.id,
        transaction,
        proof.receipt,
        proof.block,
        proof.block.hash(),
        (*links, last),
        _advance(anchor, proof.header, committee),
    )


def check_final(
    header: Header, finalization: Certificate, committee: Committee, chain_id: Hash
) -> FinalHeader:
    """Raise a fault unless a quorum of this committee finalized the header."""
    subject = finalization.subject
    if header.chain_id != chain_id:
        raise errors.OtherChain(f"the header of height {header.height} is of another chain")
    if header.committee_hash != committee.hash:
        raise errors.WrongCommittee(
            f"the header of height {header.height} names another committee than is trusted"
        )
    if subject.kind is not VoteKind.FINALIZE:
        raise errors.NotFinalization(f"its votes are {subject.kind.name.lower()} votes")
    if subject.block_hash != header.hash():
        raise errors.OtherBlock(f"the votes are not for the header of height {header.height}")
    # A boundary block is proposed again until it is final: its votes may be of a later view.
    fits = subject.view > header.view or (subject.view, subject.parent_view) == (
        header.view,
        header.parent_view,
    )
    if subject.epoch != header.epoch or not fits or subject.parent_view >= subject.view:
        raise errors.WrongView(
            f"votes of epoch {subject.epoch}, view {subject.view} on {subject.parent_view} don't "
            f"fit a block of epoch {header.epoch}, view {header.view} on {header.parent_view}"
        )
    _check_votes(finalization, committee, chain_id)
    return FinalHeader(header, finalization, committee)


def _check_votes(finalization: Certificate, committee: Committee, chain_id: Hash) -> None:
    """Raise a fault unless the votes are a minimal quorum, each signed by its member."""
    members = [member for member, _ in finalization.votes]
    if any(a >= b for a, b in pairwise(members)) or members[-1] >= len(committee.seats):
        raise errors.BadMembers("the members of a certificate ascend, and each has a seat")
    stakes = [committee.stake(member) for member in members]
    if sum(stakes) < committee.quorum:
        raise errors.NoQuorum(f"stake {sum(stakes)} is below the quorum {committee.quorum}")
    if sum(stakes) - min(stakes) >= committee.quorum:
        raise errors.SurplusVotes("a vote could be left out, so the certificate is not minimal")
    try:
        verify_certificate(committee, chain_id, finalization)
    except BadCertificate as fault:
        raise errors.WrongVoteSignature(str(fault)) from fault


def climb(leaf: bytes, steps: Iterable[MerkleStep]) -> Hash:
    """Give the Merkle root above a leaf."""
    node = leaf_hash(leaf)
    for step in steps:
        pair = (step.hash, node) if step.left else (node, step.hash)
        node = digest(Domain.MERKLE_NODE, *pair)
    return node


def _follow(proof: Proof, anchor: Anchor) -> tuple[list[FinalHeader], Committee]:
    """Follow the links from the anchor to the committee of the final block."""
    epoch, committee, final = anchor.epoch, anchor.committee, []
    if proof.header.epoch < epoch:
        raise errors.BeforeAnchor(
            f"the block became final in epoch {proof.header.epoch}, the anchor is of epoch {epoch}"
        )
    # Proofs outlive anchors: what leads up to a newer anchor is passed over.
    for link in (each for each in proof.links if each.header.epoch >= anchor.epoch):
        if link.header.epoch != epoch:
            raise errors.MissingLink(
                f"a link of epoch {link.header.epoch} where one of {epoch} is due"
            )
        final.append(check_final(link.header, link.finalization, committee, anchor.chain_id))
        epoch, committee = Epoch(epoch + 1), _appointed(link)
    if proof.header.epoch != epoch:
        raise errors.MissingLink(
            f"the links lead to epoch {epoch}, the final block is of epoch {proof.header.epoch}"
        )
    return final, committee


def _appointed(link: Link) -> Committee:
    committee = seat_committee(link.seats)
    if committee.hash != link.header.next_committee_hash:
        raise errors.WrongNextCommittee(
            f"the seats for epoch {link.header.epoch + 1} are not those that its block appoints"
        )
    return committee


def _descend(proof: Proof, chain_id: Hash) -> None:
    """Follow parent hashes from the final block to the transaction's."""
    for child, parent in pairwise((proof.header, *proof.path)):
        if parent.chain_id != chain_id:
            raise errors.OtherChain(f"the header of height {parent.height} is of another chain")
        if child.parent_hash != parent.hash() or child.height != parent.height + 1:
            raise errors.BrokenPath(
                f"the header of height {child.height} has another parent than the path shows"
            )


def _check_inclusion(proof: Proof) -> Transaction:
    """Raise a fault unless the block holds the transaction, with this receipt."""
    block = proof.block
    if climb(proof.transaction, proof.transaction_steps) != block.transactions_root:
        raise errors.TransactionNotIncluded(f"block {block.height} does not hold the transaction")
    if climb(encode(proof.receipt), proof.receipt_steps) != block.receipts_root:
        raise errors.ReceiptNotIncluded(f"block {block.height} does not hold the receipt")
    try:
        transaction = decode_transaction(proof.transaction)
    except CodecFault as fault:
        raise errors.BadTransaction(str(fault)) from fault
    if proof.receipt.txid != transaction.id:
        raise errors.OtherReceipt(f"the receipt is of {proof.receipt.txid.hex()}")
    return transaction


def _advance(anchor: Anchor, header: Header, committee: Committee) -> Anchor:
    """Make the anchor that a verified header gives. In one epoch the later time counts."""
    time_ms = header.time_ms
    if header.epoch == anchor.epoch:
        time_ms = max(time_ms, anchor.time_ms)
    return Anchor(anchor.chain_id, anchor.prefix, Epoch(header.epoch), time_ms, committee)
