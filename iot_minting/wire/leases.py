"""Signed leases: which gateway of an MMU acts for a plant (docs/spec/minting.md §3.10). Pure."""

from typing import Annotated, Final, NamedTuple

from msgspec import Meta, Struct

from iot_minting.errors import BadLease
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import PublicKey, SigningKey, WirePublicKey, WireSignature, verify

LEASE_BYTES_MAX: Final = 256


class Lease(NamedTuple):
    """Who acts for a plant. A higher rank supersedes a lower one, whatever came first.

    `holder` is the holder's ingest key. `until_ms` is by its own clock, which nobody else believes:
    it tells a renewal from a word of before.
    """

    term: int
    holder: PublicKey
    until_ms: int


NOBODYS: Final = Lease(0, PublicKey(bytes(32)), 0)
"""Below every lease that was ever taken."""


class SignedLease(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A lease of a plant, signed by the key of the plant's MMU."""

    plant: Annotated[str, Meta(min_length=1, max_length=64)]
    holder: WirePublicKey
    term: Annotated[int, Meta(ge=1, le=2**53)]
    until_ms: Annotated[int, Meta(ge=0, le=2**53)]
    signature: WireSignature

    @property
    def lease(self) -> Lease:
        """Give what is said of the plant."""
        return Lease(self.term, PublicKey(self.holder), self.until_ms)


def _lease_bytes(chain_id: Hash, plant: str, lease: Lease) -> bytes:
    fields = [plant, lease.holder, lease.term, lease.until_ms]
    return Domain.LEASE.value + chain_id + encode(fields)


def sign_lease(chain_id: Hash, mmu: SigningKey, plant: str, lease: Lease) -> SignedLease:
    """Sign a lease of a plant."""
    signature = mmu.sign(_lease_bytes(chain_id, plant, lease))
    return SignedLease(plant, lease.holder, lease.term, lease.until_ms, signature)


def read_lease(raw: bytes, chain_id: Hash, mmu: PublicKey, plant: str) -> Lease:
    """Read a lease of this plant; raise `BadLease` unless the MMU signed it."""
    try:
        signed = decode(raw, SignedLease, LEASE_BYTES_MAX)
    except ValueError as error:
        raise BadLease(str(error)) from error
    if signed.plant != plant:
        raise BadLease(f"a lease of {signed.plant}")
    if not verify(mmu, _lease_bytes(chain_id, plant, signed.lease), signed.signature):
        raise BadLease(f"a lease that {mmu.hex()} did not sign")
    return signed.lease
