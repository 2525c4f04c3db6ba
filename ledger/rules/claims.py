"""Claims: the signatures that a body shows beside its sender's, for whoever verifies them."""

from collections.abc import Iterable

from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey, Signature
from ledger.types.evidence import DeviceEvidence
from ledger.types.milk import MintLot, RecordCollection, RollLot
from ledger.types.reading import reading_bytes
from ledger.types.staking import RegisterValidator, SubmitEvidence, possession_bytes

Claim = tuple[PublicKey, bytes, Signature]
"""A key, a message, and the signature that must hold."""


def body_claims(body: object, sender: Address, chain: Hash) -> list[Claim]:
    """List the signatures of devices, attestors and validators that a body shows."""
    match body:
        case MintLot():
            return _mint_claims(body, chain)
        case RollLot():
            return _mint_claims(body.mint, chain)
        case RecordCollection():
            return _device_claims([body.meter], chain)
        case RegisterValidator():
            message = possession_bytes(chain, sender, body.vote_key, body.vrf_key)
            return [(body.vote_key, message, body.proof)]
        case SubmitEvidence():
            votes = (body.first, body.second)
            return [(body.validator, vote.signing_bytes(chain), vote.signature) for vote in votes]
        case _:
            return []


def _mint_claims(body: MintLot, chain: Hash) -> list[Claim]:
    claim = body.claim
    shown = [*(collection.meter for collection in claim.collections), *claim.instruments]
    message = claim.signing_bytes(chain)
    return [
        *_device_claims(shown, chain),
        *((given.attestor, message, given.signature) for given in body.attestations),
    ]


def _device_claims(shown: Iterable[DeviceEvidence], chain: Hash) -> list[Claim]:
    """List each envelope once, whichever place it stands in."""
    envelopes = {
        (evidence.device, envelope.body, envelope.signature)
        for evidence in shown
        for envelope in (evidence.first, evidence.worst, evidence.last)
    }
    return [(key, reading_bytes(chain, raw), sig) for key, raw, sig in sorted(envelopes)]
