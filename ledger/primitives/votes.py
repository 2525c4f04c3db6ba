"""What a validator signs about a view: the three kinds of vote, and the text under a signature.

The text stands here once. Consensus counts votes by it, the ledger punishes them by it; which two
votes no honest validator signs, each of them judges on its own (`consensus.votes`,
`ledger.types.votes`), as a second opinion.
"""

from enum import IntEnum
from struct import Struct as Packer
from typing import Final

from ledger.primitives.hashing import Domain, Hash

_NUMBERS: Final = Packer(">BQQQ")


class VoteKind(IntEnum):
    """The three things a validator may sign about a view."""

    NOTARIZE = 1
    NULLIFY = 2
    FINALIZE = 3


def vote_text(
    chain_id: Hash, kind: VoteKind, epoch: int, view: int, parent_view: int, block_hash: Hash
) -> bytes:
    """Give the bytes that a vote's signature covers (spec §1.2).

        BILLCOIN/vote/1 || chain_id || kind(1) || epoch(8) || view(8) || parent_view(8) || hash(32)

    Numbers are big-endian. For a nullify `parent_view` is 0 and `block_hash` is zeros.
    """
    return Domain.VOTE.value + chain_id + _NUMBERS.pack(kind, epoch, view, parent_view) + block_hash
