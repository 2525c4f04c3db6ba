"""Signed receipts: the ingest's word to a device, made and read (docs/spec/minting.md §2).

Pure. A broker's acknowledgement is not durable; a receipt is signed after the commit. What a
gateway tells others of its copies has the same form, under a domain of its own: no device takes it.
"""

from collections.abc import Collection
from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from iot_minting.errors import BadReceipt
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import ZERO_HASH, Domain, Hash, WireHash
from ledger.primitives.keys import PublicKey, SigningKey, WirePublicKey, WireSignature, verify

RECEIPT_BYTES_MAX: Final = 256
COUNT_MAX: Final = 2**53
"""Above every number of an envelope."""


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
    seq: Annotated[int, Meta(ge=0, le=COUNT_MAX)]
    digest: WireHash
    signature: WireSignature

    @property
    def settled(self) -> SettledEnvelope:
        """Give what is settled."""
        return SettledEnvelope(self.boot, self.seq, Hash(self.digest))


def _signed_bytes(
    domain: Domain, chain_id: Hash, device: PublicKey, settled: SettledEnvelope
) -> bytes:
    return domain.value + chain_id + encode([device, *settled])


def sign_receipt(
    chain_id: Hash, key: SigningKey, device: PublicKey, settled: SettledEnvelope
) -> SignedReceipt:
    """Sign a receipt, as the ingest does after its commit."""
    return _sign(Domain.ACKNOWLEDGEMENT, chain_id, key, device, settled)


def read_receipt(
    raw: bytes, chain_id: Hash, ingests: Collection[PublicKey], device: PublicKey
) -> SignedReceipt:
    """Read a receipt for this device; raise `BadReceipt` unless one of the ingests signed it."""
    return _read(Domain.ACKNOWLEDGEMENT, raw, chain_id, ingests, device)


def sign_copy(
    chain_id: Hash, key: SigningKey, device: PublicKey, settled: SettledEnvelope
) -> SignedReceipt:
    """Sign the word to other gateways that so much is stored here. It is no receipt."""
    return _sign(Domain.COPY, chain_id, key, device, settled)


def read_copy(raw: bytes, chain_id: Hash, ingest: PublicKey, device: PublicKey) -> SignedReceipt:
    """Read what another gateway stored of a device; raise `BadReceipt` unless it signed it."""
    return _read(Domain.COPY, raw, chain_id, (ingest,), device)


def _sign(
    domain: Domain, chain_id: Hash, key: SigningKey, device: PublicKey, settled: SettledEnvelope
) -> SignedReceipt:
    signature = key.sign(_signed_bytes(domain, chain_id, device, settled))
    return SignedReceipt(device, *settled, signature)


def _read(
    domain: Domain, raw: bytes, chain_id: Hash, ingests: Collection[PublicKey], device: PublicKey
) -> SignedReceipt:
    try:
        receipt = decode(raw, SignedReceipt, RECEIPT_BYTES_MAX)
    except ValueError as error:
        raise BadReceipt(str(error)) from error
    if receipt.device != device:
        raise BadReceipt(f"a receipt for {receipt.device.hex()}")
    message = _signed_bytes(domain, chain_id, device, receipt.settled)
    if not any(verify(ingest, message, receipt.signature) for ingest in ingests):
        known = ", ".join(ingest.hex() for ingest in ingests)
        raise BadReceipt(f"a receipt that {known} did not sign")
    return receipt
