"""Messages between nodes beside consensus: transaction batches and block sync.

Consensus messages travel as `consensus.messages.Message`. All are canonical and bounded: what a
peer sends is decoded once, here, and a fault names the peer.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from consensus.messages import MESSAGE_BYTES_MAX, Certificate, Message
from ledger.primitives.codec import decode, encode
from ledger.primitives.scalars import Height
from ledger.types.block import BLOCK_BYTES_MAX, RawTransaction
from ledger.types.transaction import TRANSACTION_BYTES_MAX

GOSSIP_BYTES_MAX: Final = 64_000
"""A batch of some 250 transfers: what is taken in at one go keeps votes waiting for 30 ms."""
TX_BATCH_BYTES_MAX: Final = GOSSIP_BYTES_MAX + TRANSACTION_BYTES_MAX
"""What a receiver takes at one go: no more than an honest sender's batch can have, with frames."""
TX_BATCH_MAX: Final = 1_000
SYNC_BLOCKS_MAX: Final = 128
"""The most blocks one sync reply carries."""
SYNC_REPLY_BYTES_MAX: Final = 1_500_000
"""A reply ends with the block that reaches this; one block more than it fits a frame."""


class TransactionBatch(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="tx"):
    """Transactions that the sender has admitted."""

    transactions: Annotated[tuple[RawTransaction, ...], Meta(max_length=TX_BATCH_MAX)]


class Status(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="status"):
    """How far a node's finalized chain goes. A claim: only certificates are believed."""

    height: Height


class GetBlocks(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="get"):
    """Ask for finalized blocks from a height on."""

    first: Height


class Blocks(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="blocks"):
    """Consecutive finalized blocks; `finalization` is that of the last one."""

    blocks: Annotated[
        tuple[Annotated[bytes, Meta(max_length=BLOCK_BYTES_MAX)], ...],
        Meta(min_length=1, max_length=SYNC_BLOCKS_MAX),
    ]
    finalization: Certificate
    height: Height
    """The sender's finalized height, so that the receiver knows whether to ask again."""


class Pruned(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="pruned"):
    """The blocks that were asked for are not kept here any more, only those from `first` on."""

    first: Height


SyncMessage = Status | GetBlocks | Blocks | Pruned


class _SyncFrame(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    message: SyncMessage


class _ConsensusFrame(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    message: Message


def encode_sync(message: SyncMessage) -> bytes:
    """Encode a sync message."""
    return encode(_SyncFrame(message))


def decode_sync(raw: bytes) -> SyncMessage:
    """Decode a sync message; raise a `CodecFault`."""
    return decode(raw, _SyncFrame, SYNC_REPLY_BYTES_MAX + BLOCK_BYTES_MAX).message


def encode_consensus(message: Message) -> bytes:
    """Encode a consensus message."""
    return encode(_ConsensusFrame(message))


def decode_consensus(raw: bytes) -> Message:
    """Decode a consensus message; raise a `CodecFault`."""
    return decode(raw, _ConsensusFrame, MESSAGE_BYTES_MAX).message


def decode_batch(raw: bytes) -> TransactionBatch:
    """Decode a batch of transactions; raise a `CodecFault`."""
    return decode(raw, TransactionBatch, TX_BATCH_BYTES_MAX)
