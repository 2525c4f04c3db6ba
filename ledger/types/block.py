"""Blocks: the header that consensus votes on by hash, the body, and receipts.

A block's hash is the hash of its header, and the header commits to everything else: the
transactions and receipts under Merkle roots, the state after the block, the committees.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from ledger.primitives.amounts import WireUnits
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Domain, Hash, WireHash, digest
from ledger.primitives.keys import WireAddress
from ledger.primitives.scalars import Height
from ledger.types.transaction import TRANSACTION_BYTES_MAX

BLOCK_BYTES_MAX: Final = 2_000_000
BLOCK_TRANSACTIONS_MAX: Final = 5_000

RawTransaction = Annotated[bytes, Meta(max_length=TRANSACTION_BYTES_MAX)]


class Header(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A block's commitments. `vrf_proof` and the committee hashes serve epochs (spec §4)."""

    chain_id: WireHash
    epoch: Annotated[int, Meta(ge=0, le=2**53)]
    view: Annotated[int, Meta(ge=0, le=2**53)]
    height: Height
    parent_view: Annotated[int, Meta(ge=0, le=2**53)]
    parent_hash: WireHash
    time_ms: Annotated[int, Meta(ge=0, le=2**53)]
    proposer: WireAddress
    transactions_root: WireHash
    receipts_root: WireHash
    state_root: WireHash
    committee_hash: WireHash
    next_committee_hash: WireHash
    evidence_root: WireHash
    vrf_proof: Annotated[bytes, Meta(max_length=80)]

    def hash(self) -> Hash:
        """Name the block."""
        return digest(Domain.BLOCK, encode(self))


class Block(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A header and the transactions it commits to, as the bytes their senders signed."""

    header: Header
    transactions: Annotated[tuple[RawTransaction, ...], Meta(max_length=BLOCK_TRANSACTIONS_MAX)]


class Receipt(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What became of one transaction: `code` is empty if it took effect, else the fault's code.

    A failed transaction paid its fee and used its nonce, and did nothing else.
    """

    txid: WireHash
    code: Annotated[str, Meta(max_length=64)]
    fee_units: WireUnits


def decode_block(raw: bytes) -> Block:
    """Decode a block; raise a `CodecFault` if it is not canonical or too large."""
    return decode(raw, Block, BLOCK_BYTES_MAX)
