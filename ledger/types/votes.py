"""Votes as evidence: what a validator signed about a view, re-stated for the law.

Consensus owns the meaning of votes; the ledger only needs to know which two of them no honest
validator signs. So the signed text stands here once more, and a test holds the two equal:

    BILLCOIN/vote/1 || chain_id || kind(1) || epoch(8) || view(8) || parent_view(8) || hash(32)
"""

from enum import IntEnum
from struct import Struct as Packer
from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.hashing import Domain, Hash, WireHash
from ledger.primitives.keys import WireSignature

_SUBJECT: Final = Packer(">BQQQ")

Counter = Annotated[int, Meta(ge=0, le=2**53)]


class VoteKind(IntEnum):
    """The three things a validator may sign about a view."""

    NOTARIZE = 1
    NULLIFY = 2
    FINALIZE = 3


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
        head = _SUBJECT.pack(self.kind, self.epoch, self.view, self.parent_view)
        return Domain.VOTE.value + chain_id + head + self.block_hash


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
