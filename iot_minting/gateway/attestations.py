"""Attestations of a claim: each attestor recomputes the run from its envelopes, and signs."""

from iot_minting.attestor.attest import attest
from iot_minting.gateway.policy import CutRun
from ledger.genesis import Genesis
from ledger.primitives.keys import SigningKey
from ledger.types.evidence import RunClaim
from ledger.types.milk import Attestation


def gather_attestations(
    run: CutRun, claim: RunClaim, genesis: Genesis, flow_max_l_per_h: int, attestor: SigningKey
) -> tuple[Attestation, ...]:
    """Have a run's claim attested; raise `Disagreement` if what comes out is another run.

    The attestor gets the claim and every envelope, and trusts nothing that was decided here.
    """
    envelopes = [piece.envelope for piece in run.pieces()]
    law, chain_id = genesis.parameters, genesis.chain_id
    return (attest(claim, envelopes, law, chain_id, flow_max_l_per_h, attestor),)
