"""Two valid proofs that contradict each other: an alarm, and the names of those who made it.

It can only happen if a third of some committee's stake was dishonest. Members of two quorums
overlap in more than a third, so whoever signed both finalizations has to explain itself. Where
both are of one view, the two votes of each such member are evidence that the ledger punishes;
where they are of two views, it takes the nullifications in between to tell who lied.
"""

from dataclasses import dataclass

from consensus.messages import Vote
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Signature
from node.lightclient.anchor import Anchor
from node.lightclient.types import decode_proof
from node.lightclient.verifying import TRUSTING_MS, FinalHeader, ProvenTransaction, verify_proof


@dataclass(frozen=True, slots=True)
class DoubleVote:
    """A member's finalize votes for two blocks of one view: slashable."""

    key: PublicKey
    first: Vote
    second: Vote


@dataclass(frozen=True, slots=True)
class Fork:
    """Two final blocks at one height; who signed for both, and what can be punished of it."""

    height: int
    blocks: tuple[Hash, Hash]
    signers: tuple[PublicKey, ...]
    evidence: tuple[DoubleVote, ...]


def find_fork(
    one: bytes, other: bytes, anchor: Anchor, now_ms: int, trusting_ms: int = TRUSTING_MS
) -> Fork | None:
    """Tell whether two proofs contradict each other; raise a `ProofFault` if one is not valid.

    The arguments are those of `verify_proof`, with a second proof. None says that they can both
    be true. A `Fork` says that they can't: stop, tell people, and trust neither.
    """
    first, second = (
        _blocks(raw, verify_proof(raw, anchor, now_ms, trusting_ms)) for raw in (one, other)
    )
    for height in sorted(first.keys() & second.keys()):
        (hash_a, final_a), (hash_b, final_b) = first[height], second[height]
        if hash_a != hash_b:
            signers, evidence = _blame(final_a, final_b)
            return Fork(height, (hash_a, hash_b), signers, evidence)
    return None


def _blocks(raw: bytes, proven: ProvenTransaction) -> dict[int, tuple[Hash, FinalHeader]]:
    """List what a proof makes final, by height, each with the certificate that does."""
    final = {each.header.height: (each.header.hash(), each) for each in proven.final_headers}
    for header in decode_proof(raw).path:
        final[header.height] = (header.hash(), proven.final_headers[-1])
    return final


def _signatures(final: FinalHeader) -> dict[PublicKey, Vote]:
    subject, seats = final.finalization.subject, final.committee.seats
    return {
        PublicKey(seats[member].key): Vote(subject, member, Signature(signature))
        for member, signature in final.finalization.votes
    }


def _blame(
    one: FinalHeader, other: FinalHeader
) -> tuple[tuple[PublicKey, ...], tuple[DoubleVote, ...]]:
    """Name who signed both certificates, with two votes of one view where there are."""
    first, second = _signatures(one), _signatures(other)
    both = tuple(sorted(first.keys() & second.keys()))
    a, b = one.finalization.subject, other.finalization.subject
    if (a.epoch, a.view) != (b.epoch, b.view) or a.block_hash == b.block_hash:
        return both, ()
    return both, tuple(DoubleVote(key, first[key], second[key]) for key in both)
