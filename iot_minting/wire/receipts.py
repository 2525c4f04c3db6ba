"""Signed receipts: the ingest's word to a device, made and read (docs/spec/minting.md §2).

Pure. A broker's acknowledgement is not durable; a receipt is signed after the commit.
"""

from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from iot_minting.errors import BadReceipt
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import ZERO_HASH, Domain, Hash, WireHash
from ledger.primitives.keys import PublicKey, SigningKey, WirePublicKey, WireSignature, verify

RECEIPT_BYTES_MAX: Final = 256


class SettledEnvelope(NamedTuple):
    """How far a device's chain is settled: an envelope's number and digest."""

    boot: int
    seq: int
    digest: Hash

    @property
    def number(self) -> tuple[int, int]:
        """Give the boot and the number within it."""
        return self.boot, self.seq


NOTHING_SETTLED: Final = SettledEnvelope(0, 0, ZERO_HASH)
"""What an ingest says that has nothing of a device, and can't take what it sent."""


class SignedReceipt(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The ingest's word that every envelope of a boot up to `seq` is stored durably.

    `digest` is that of the envelope numbered `seq`: it, and by its links every one before it.
    """

    device: WirePublicKey
    boot: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]
    digest: WireHash
    signature: WireSignature

    @property
    def settled(self) -> SettledEnvelope:
        """Give what is settled."""
        return SettledEnvelope(self.boot, self.seq, Hash(self.digest))


def _receipt_bytes(chain_id: Hash, device: PublicKey, settled: SettledEnvelope) -> bytes:
    return Domain.ACKNOWLEDGEMENT.value + chain_id + encode([device, *settled])


def sign_receipt(
    chain_id: Hash, key: SigningKey, device: PublicKey, settled: SettledEnvelope
) -> SignedReceipt:
    """Sign a receipt, as the ingest does after its commit."""
    signature = key.sign(_receipt_bytes(chain_id, device, settled))
    return SignedReceipt(device, *settled, signature)


def read_receipt(raw: bytes, chain_id: Hash, ingest: PublicKey, device: PublicKey) -> SignedReceipt:
    """Read a receipt for this device; raise `BadReceipt` unless the ingest signed it."""
    try:
        receipt = decode(raw, SignedReceipt, RECEIPT_BYTES_MAX)
    except ValueError as error:
        raise BadReceipt(str(error)) from error
    if receipt.device != device:
        raise BadReceipt(f"a receipt for {receipt.device.hex()}")
    message = _receipt_bytes(chain_id, device, receipt.settled)
    if not verify(ingest, message, receipt.signature):
        raise BadReceipt(f"a receipt that {ingest.hex()} did not sign")
    return receipt
