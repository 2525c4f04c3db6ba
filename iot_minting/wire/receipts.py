"""Signed receipts: the ingest's word to a device, made and read (docs/spec/minting.md §2).

Pure. A broker's acknowledgement is not durable; a receipt is signed after the commit.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

from iot_minting.errors import BadReceipt
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import PublicKey, SigningKey, WirePublicKey, WireSignature, verify

RECEIPT_BYTES_MAX: Final = 256


class SignedReceipt(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The ingest's word that every envelope of a boot up to `seq` is stored durably."""

    device: WirePublicKey
    boot: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    seq: Annotated[int, Meta(ge=0, le=2**53)]
    signature: WireSignature


def _receipt_bytes(chain_id: Hash, device: PublicKey, boot: int, seq: int) -> bytes:
    return Domain.ACKNOWLEDGEMENT.value + chain_id + encode([device, boot, seq])


def sign_receipt(
    chain_id: Hash, key: SigningKey, device: PublicKey, boot: int, seq: int
) -> SignedReceipt:
    """Sign a receipt, as the ingest does after its commit."""
    signature = key.sign(_receipt_bytes(chain_id, device, boot, seq))
    return SignedReceipt(device, boot, seq, signature)


def read_receipt(raw: bytes, chain_id: Hash, ingest: PublicKey, device: PublicKey) -> SignedReceipt:
    """Read a receipt for this device; raise `BadReceipt` unless the ingest signed it."""
    try:
        receipt = decode(raw, SignedReceipt, RECEIPT_BYTES_MAX)
    except ValueError as error:
        raise BadReceipt(str(error)) from error
    if receipt.device != device:
        raise BadReceipt(f"a receipt for {receipt.device.hex()}")
    message = _receipt_bytes(chain_id, device, receipt.boot, receipt.seq)
    if not verify(ingest, message, receipt.signature):
        raise BadReceipt(f"a receipt that {ingest.hex()} did not sign")
    return receipt
