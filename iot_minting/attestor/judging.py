"""A judgement: whether a claim is what its envelopes say, by the ledger's law alone. Pure.

It starts from the signed bytes and believes nothing that the claimant decided. The law of evidence
(`ledger.evidence`) is the one thing that both share.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from iot_minting.attestor.errors import UnfitRequest, WrongBundle
from iot_minting.wire.windows import ENVELOPES_MAX, WINDOW_SAMPLES_MAX, WindowRequest
from ledger.errors.base import LedgerFault
from ledger.evidence import Bundle, LineFacts, check_window, claimed_envelopes, evidence_root
from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash, WireHash
from ledger.primitives.keys import PublicKey, WirePublicKey, verify
from ledger.primitives.merkle import merkle_root
from ledger.types.reading import Envelope, reading_bytes
from ledger.types.window import WindowClaim


class Judgement(Struct, frozen=True, array_like=True):
    """What is to be judged: all that there is to know."""

    attestor: WirePublicKey
    facts: LineFacts
    claim: WindowClaim
    bundle: dict[WirePublicKey, tuple[Envelope, ...]]


class WindowFinding(Struct, frozen=True, array_like=True):
    """What came out. Without `code` the claim holds, and `evidence_root` is to be signed.

    `authentic`: every envelope is signed by its device, so that it is worth keeping whatever it
    says of the claim.
    """

    code: str
    detail: str
    evidence_root: WireHash
    authentic: bool


def judge(asked: Judgement) -> WindowFinding:
    """Judge a claim; every fault of the law is a finding, anything else that is raised a bug."""
    facts, claim, bundle = asked.facts, asked.claim, asked.bundle
    root = evidence_root(asked.attestor, claimed_envelopes(claim, bundle))
    try:
        check_window(facts, claim, bundle)
    except LedgerFault as fault:
        return WindowFinding(fault.code, str(fault), root, _all_signed(bundle, facts.chain_id))
    return WindowFinding("", "", root, authentic=True)


def _all_signed(bundle: Bundle, chain_id: Hash) -> bool:
    return all(
        verify(device, reading_bytes(chain_id, envelope.body), envelope.signature)
        for device, envelopes in bundle.items()
        for envelope in envelopes
    )


def number_envelopes(
    claim: WindowClaim, bundle: Bundle
) -> list[tuple[PublicKey, int, int, Envelope]]:
    """List a bundle's envelopes by device, boot and seq, in the order of the claim's root.

    Raise `WrongBundle` unless they are exactly those that the claim's root is over, each under its
    own device: other envelopes say nothing of the claim. Raise `UnfitRequest` for too many of them.
    """
    numbered, samples = [], 0
    envelopes = [(device, each) for device in sorted(bundle) for each in bundle[device]]
    _check_root(claim, [envelope for _, envelope in envelopes])
    for device, envelope in envelopes:
        try:
            reading = envelope.reading()
        except CodecFault as fault:
            raise WrongBundle(f"an envelope of {device.hex()} is no reading: {fault}") from fault
        if reading.device != device:
            raise WrongBundle(f"an envelope of {reading.device.hex()} stands under {device.hex()}")
        samples += len(reading.samples)
        if samples > WINDOW_SAMPLES_MAX:
            raise UnfitRequest(f"more than {WINDOW_SAMPLES_MAX} samples: cut a shorter window")
        numbered.append((device, reading.boot, reading.seq, envelope))
    return numbered


def _check_root(claim: WindowClaim, envelopes: Sequence[Envelope]) -> None:
    if len(envelopes) > ENVELOPES_MAX:
        raise UnfitRequest(f"more than {ENVELOPES_MAX} envelopes: cut a shorter window")
    shown = (len(envelopes), merkle_root([envelope.digest() for envelope in envelopes]))
    if shown != (claim.readings_count, claim.readings_root):
        raise WrongBundle(
            f"these {shown[0]} envelopes make the root {shown[1].hex()}, the claim is over "
            f"{claim.readings_count} with the root {claim.readings_root.hex()}"
        )


def check_devices(request: WindowRequest) -> None:
    """Raise `UnfitRequest` unless the devices of a request stand in ascending order, each once."""
    keys = [each.device for each in request.devices]
    if any(a >= b for a, b in pairwise(keys)):
        raise UnfitRequest("the devices of a request stand in ascending order, each once")
