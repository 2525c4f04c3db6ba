"""A finality proof as it stands in a file (docs/spec/proofs.md §2).

Canonical MessagePack, like everything that is hashed. Every byte of a proof is bound: by a
signature, by a hash that is signed, or by the one spelling that the codec allows. So a proof that
was altered anywhere does not verify.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from consensus.messages import Certificate
from ledger.primitives.codec import decode
from ledger.primitives.committee import COMMITTEE_MAX, Seat
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import WireHash
from ledger.types.block import Header, RawTransaction, Receipt
from node.lightclient.errors import BadEncoding

PROOF_BYTES_MAX: Final = 4 * 1024 * 1024
LINKS_MAX: Final = 256
"""The most epochs that one proof leads over."""
PATH_HEADERS_MAX: Final = 128
"""The most headers between the block with a finalization and the payment's."""
STEPS_MAX: Final = 16
"""The longest Merkle path: a block has at most 5,000 leaves."""


class MerkleStep(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One step up a Merkle tree: the sibling, and whether it stands on the left.

    An index and a count of leaves would do too, but some wrong counts give the same path; here
    every bit decides about the root.
    """

    left: bool
    hash: WireHash


class Link(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """From one epoch to the next: a final block of the epoch, and the seats that it appoints.

    The block is the epoch's boundary; any other final block of the epoch appoints the same.
    """

    header: Header
    finalization: Certificate
    seats: Annotated[tuple[Seat, ...], Meta(min_length=1, max_length=COMMITTEE_MAX)]


Steps = Annotated[tuple[MerkleStep, ...], Meta(max_length=STEPS_MAX)]


class Proof(
    Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="billcoin-proof-1"
):
    """That a transaction is final, and what became of it.

    `header` is final by `finalization`; `path` leads from its parent down to the header of the
    transaction's block, and is empty if that is `header` itself.
    """

    chain_id: WireHash
    links: Annotated[tuple[Link, ...], Meta(max_length=LINKS_MAX)]
    header: Header
    finalization: Certificate
    path: Annotated[tuple[Header, ...], Meta(max_length=PATH_HEADERS_MAX)]
    transaction: RawTransaction
    transaction_steps: Steps
    receipt: Receipt
    receipt_steps: Steps

    @property
    def block(self) -> Header:
        """Give the header of the transaction's block."""
        return self.path[-1] if self.path else self.header


def decode_proof(raw: bytes) -> Proof:
    """Decode a proof; raise `BadEncoding` if it is not canonical or too large."""
    try:
        return decode(raw, Proof, PROOF_BYTES_MAX)
    except CodecFault as fault:
        raise BadEncoding(str(fault)) from fault
