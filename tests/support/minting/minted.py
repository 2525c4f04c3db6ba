"""Runs of the test line, minted on a ledger as the gateway and its attestor would."""

from iot_minting.attestor.attest import attest
from iot_minting.gateway.claims import build_claim
from iot_minting.gateway.policy import CutRun
from ledger.primitives.keys import verify_many
from ledger.transition import apply_block, signature_claims
from ledger.types.milk import MintLot
from tests.support.ledger.dairy import FLOW_MAX_L_PER_H

LITRE = 1_000_000


def one_run(line, amounts=((0, 10_000), (1, 20_000)), units=30 * LITRE):
    """Milk, pasteurize, and cut the one run that this makes."""
    for farm, amount in amounts:
        line.milk(farm, amount)
    line.pasteurize(units, 3_000)
    (run,) = [d for d in line.step(30_000) if isinstance(d, CutRun)]
    return run


def envelopes_of(run):
    """List a run's envelopes in the order of its root."""
    return [piece.envelope for piece in run.pieces()]


def mint(line, run):
    """Claim and attest a run."""
    claim = build_claim(run, line.rules)
    (key,) = line.dairy.attestor_keys
    law, chain_id = line.rules.law, line.dairy.chain_id
    return MintLot(claim, (attest(claim, envelopes_of(run), law, chain_id, FLOW_MAX_L_PER_H, key),))


def apply(line, overlay, body, nonce=0):
    """Apply one transaction of the MMU as a block; give its code."""
    transaction = line.dairy.transaction(body, line.dairy.mmu, nonce)
    assert all(verify_many(signature_claims(transaction, line.dairy.chain_id)))
    context = line.dairy.context(nonce + 1, line.now_ms)
    return apply_block(overlay, context, [transaction]).receipts[0].code
