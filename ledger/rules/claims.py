"""Claims: the signatures that a body shows beside its sender's, for whoever verifies them.

Which body shows which is in its law (`law`); here are those that stand in more than one.
"""

from collections.abc import Iterable

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Signature
from ledger.types.evidence import DeviceEvidence
from ledger.types.milk import MintLot
from ledger.types.reading import reading_bytes
from ledger.types.window import MintWindow

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


def window_claims(body: MintWindow, chain: Hash) -> list[Claim]:
    """List the devices' and the attestors' signatures of a window, each envelope's once."""
    claim = body.claim
    envelopes = {
        (shown.device, envelope.body, envelope.signature)
        for shown in claim.devices
        for envelope in (shown.last, shown.end, shown.worst)
        if envelope is not None
    }
    return [
        *((key, reading_bytes(chain, raw), sig) for key, raw, sig in sorted(envelopes)),
        *(
            (given.attestor, claim.signing_bytes(chain, given.evidence_root), given.signature)
            for given in body.attestations
        ),
    ]
