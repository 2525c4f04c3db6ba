"""Plain data of the gateway: accepted envelopes, quarantined ones, and signed receipts."""

from dataclasses import dataclass
from typing import Annotated, Final

from msgspec import Meta, Struct

from iot_minting.errors import BadReceipt
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import (
    Address,
    PublicKey,
    SigningKey,
    WirePublicKey,
    WireSignature,
    verify,
)
from ledger.types.evidence import Instrument
from ledger.types.reading import Envelope, Reading

RECEIPT_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class RegisteredDevice:
    """A device as the chain registered it. A meter's operator is its farm."""

    key: PublicKey
    kind: Instrument
    plant: str
    operator: Address
    calibrated_until_ms: int
    flow_max_l_per_h: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """An envelope that was accepted, with what the policy asks about it."""

    device: PublicKey
    kind: Instrument
    plant: str
    line: str
    operator: Address
    envelope: Envelope
    reading: Reading
    digest: Hash
    arrival_ms: int

    @property
    def boot(self) -> int:
        """Give the boot of the device."""
        return self.reading.boot

    @property
    def seq(self) -> int:
        """Give the number within the boot."""
        return self.reading.seq

    @property
    def first_ms(self) -> int:
        """Give the time of the first sample."""
        return self.reading.t0_ms + self.reading.samples[0][0]

    @property
    def last_ms(self) -> int:
        """Give the time of the last sample."""
        return self.reading.last_ms

    @property
    def first_value(self) -> int:
        """Give the first sample's value."""
        return self.reading.samples[0][1]

    @property
    def last_value(self) -> int:
        """Give the last sample's value."""
        return self.reading.samples[-1][1]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An envelope that was refused: everything that is known of it, and why."""

    code: str
    detail: str
    topic: str
    raw: bytes
    arrival_ms: int
    device: PublicKey | None
    boot: int | None
    seq: int | None


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
