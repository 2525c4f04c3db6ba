"""Claims: the signatures that a body shows beside its sender's, for whoever verifies them.

Which body shows which is in its law (`law`); here are those that stand in more than one.
"""

from collections.abc import Iterable

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Signature
from ledger.types.evidence import DeviceEvidence
from ledger.types.milk import MintLot
from ledger.types.reading import reading_bytes

Claim = tuple[PublicKey, bytes, Signature]
"""A key, a message, and the signature that must hold."""


def mint_claims(body: MintLot, chain: Hash) -> list[Claim]:
    """List the devices' and the attestors' signatures of a mint."""
    claim = body.claim
    shown = [*(collection.meter for collection in claim.collections), *claim.instruments]
    message = claim.signing_bytes(chain)
    return [
        *device_claims(shown, chain),
        *((given.attestor, message, given.signature) for given in body.attestations),
    ]


def device_claims(shown: Iterable[DeviceEvidence], chain: Hash) -> list[Claim]:
    """List the signature of each envelope once, whichever place it stands in."""
    envelopes = {
        (evidence.device, envelope.body, envelope.signature)
        for evidence in shown
        for envelope in (evidence.first, evidence.worst, evidence.last)
    }
    return [(key, reading_bytes(chain, raw), sig) for key, raw, sig in sorted(envelopes)]
