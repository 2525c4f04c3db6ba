"""Claims: the signatures that a body shows beside its sender's, for whoever verifies them.

Which body shows which is in its law (`law`); here are those that stand in more than one.
"""

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey, Signature
from ledger.types.reading import reading_bytes
from ledger.types.window import MintWindow

Claim = tuple[PublicKey, bytes, Signature]
"""A key, a message, and the signature that must hold."""


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
