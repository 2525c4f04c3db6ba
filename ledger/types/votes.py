"""Votes as evidence: what a validator signed about a view, and which pairs of votes are faults.

Consensus owns the meaning of votes; the ledger judges pairs of them on its own, as a second
opinion. The signed text is shared (`ledger.primitives.votes`).
"""

from enum import IntEnum

from msgspec import Struct

from ledger.primitives.hashing import Hash, WireHash
from ledger.primitives.keys import WireSignature
from ledger.primitives.scalars import Counter
from ledger.primitives.votes import VoteKind, vote_text


class FaultKind(IntEnum):
    """The four pairs of votes that are slashable. Notarize beside nullify is legal."""

    TWO_NOTARIZED = 1
    TWO_FINALIZED = 2
    NULLIFIED_AND_FINALIZED = 3
    NOTARIZED_ANOTHER = 4


class SignedVote(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One vote as it was signed, with the signature. Whose it is stands beside it."""

    kind: VoteKind
    epoch: Counter
    view: Counter
    parent_view: Counter
    block_hash: WireHash
    signature: WireSignature

    def signing_bytes(self, chain_id: Hash) -> bytes:
        """Give the bytes that the validator signed."""
        return vote_text(
            chain_id, self.kind, self.epoch, self.view, self.parent_view, self.block_hash
        )


def fault_between(one: SignedVote, other: SignedVote) -> FaultKind | None:
    """Name the fault that two votes of one signer prove, or None if they prove none."""
    if (one.epoch, one.view) != (other.epoch, other.view):
        return None
    apart = one.block_hash != other.block_hash
    match sorted((one.kind, other.kind)):
        case [VoteKind.NOTARIZE, VoteKind.NOTARIZE] if apart:
            return FaultKind.TWO_NOTARIZED
        case [VoteKind.FINALIZE, VoteKind.FINALIZE] if apart:
            return FaultKind.TWO_FINALIZED
        case [VoteKind.NULLIFY, VoteKind.FINALIZE]:
            return FaultKind.NULLIFIED_AND_FINALIZED
        case [VoteKind.NOTARIZE, VoteKind.FINALIZE] if apart:
            return FaultKind.NOTARIZED_ANOTHER
    return None
