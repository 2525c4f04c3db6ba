"""Loans: envelopes that one gateway of an MMU asks another for (docs/spec/minting.md §3.12). Pure.

What is lent is signed by its devices, as everything is; the lender's word is that nothing of the
device that it holds lies between what was asked after and what it sends.
"""

from collections.abc import Sequence
from typing import Annotated, Final

from msgspec import Meta, Struct

from iot_minting.errors import BadLoan
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Domain, Hash
from ledger.primitives.keys import PublicKey, SigningKey, WirePublicKey, WireSignature, verify
from ledger.primitives.scalars import Millis
from ledger.state.proven import Boot, Seq
from ledger.types.reading import Envelope

WANT_BYTES_MAX: Final = 256
LOAN_BYTES_MAX: Final = 16 * 1024
"""A small broker takes no larger message."""
LOAN_ENVELOPES_MAX: Final = 256

Number = tuple[int, int]
"""A boot, and a number within it."""


class SignedWant(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A gateway asks another for a device's envelopes after a number, and not ended before a time.

    `after` is None where it has nothing of the device.
    """

    lender: WirePublicKey
    device: WirePublicKey
    after: tuple[Boot, Seq] | None
    since_ms: Millis
    signature: WireSignature


class SignedLoan(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A device's next envelopes, in order; none if the lender has none."""

    device: WirePublicKey
    after: tuple[Boot, Seq] | None
    envelopes: Annotated[tuple[Envelope, ...], Meta(max_length=LOAN_ENVELOPES_MAX)]
    signature: WireSignature


def _want_bytes(
    chain_id: Hash, lender: bytes, device: bytes, after: Number | None, since_ms: int
) -> bytes:
    return Domain.WANT.value + chain_id + encode([lender, device, after, since_ms])


def sign_want(
    chain_id: Hash,
    key: SigningKey,
    lender: PublicKey,
    device: PublicKey,
    after: Number | None,
    since_ms: int,
) -> SignedWant:
    """Ask a gateway for what follows a number of a device."""
    signature = key.sign(_want_bytes(chain_id, lender, device, after, since_ms))
    return SignedWant(lender, device, after, since_ms, signature)


def read_want(raw: bytes, chain_id: Hash, asker: PublicKey) -> SignedWant:
    """Read what a gateway wants; raise `BadLoan` unless it signed that."""
    try:
        want = decode(raw, SignedWant, WANT_BYTES_MAX)
    except ValueError as error:
        raise BadLoan(str(error)) from error
    signed = _want_bytes(chain_id, want.lender, want.device, want.after, want.since_ms)
    if not verify(asker, signed, want.signature):
        raise BadLoan(f"a want that {asker.hex()} did not sign")
    return want


def _loan_bytes(
    chain_id: Hash,
    asker: bytes,
    device: bytes,
    after: Number | None,
    envelopes: Sequence[Envelope],
) -> bytes:
    digests = [each.digest() for each in envelopes]
    return Domain.LOAN.value + chain_id + encode([asker, device, after, digests])


def sign_loan(
    chain_id: Hash,
    key: SigningKey,
    asker: PublicKey,
    device: PublicKey,
    after: Number | None,
    envelopes: Sequence[Envelope],
) -> SignedLoan:
    """Lend as many of a device's next envelopes as one message may hold."""
    fitting: list[Envelope] = []
    room = LOAN_BYTES_MAX - WANT_BYTES_MAX
    for each in envelopes[:LOAN_ENVELOPES_MAX]:
        room -= len(encode(each))
        if room < 0:
            break
        fitting.append(each)
    signature = key.sign(_loan_bytes(chain_id, asker, device, after, fitting))
    return SignedLoan(device, after, tuple(fitting), signature)


def read_loan(
    raw: bytes, chain_id: Hash, asker: PublicKey, lenders: Sequence[PublicKey]
) -> tuple[PublicKey, SignedLoan]:
    """Read a loan to a gateway, and find who lends; raise `BadLoan` unless one of these does."""
    try:
        loan = decode(raw, SignedLoan, LOAN_BYTES_MAX)
    except ValueError as error:
        raise BadLoan(str(error)) from error
    signed = _loan_bytes(chain_id, asker, loan.device, loan.after, loan.envelopes)
    for lender in lenders:
        if verify(lender, signed, loan.signature):
            return lender, loan
    raise BadLoan("a loan that none of the peers signed for this gateway")
