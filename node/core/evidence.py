"""From an offence to what the ledger punishes: two signed votes and whose they are (spec §4.3).

Engine and ledger judge pairs of votes apart from each other; here the two meet. The engine is the
stricter one: it also refuses votes that differ in nothing but the parent's view, and for those no
header can exist, so the ledger has no fault for them and there is no evidence to submit.
"""

from consensus.effects import Misbehaviour
from consensus.messages import Vote
from ledger.primitives.committee import Committee
from ledger.types.staking import SubmitEvidence
from ledger.types.votes import SignedVote, fault_between


def evidence_of(committee: Committee, offence: Misbehaviour) -> SubmitEvidence | None:
    """Make the body that has an offence punished, or None if it is not slashable.

    The committee is that of the votes' epoch. The votes stand in the order of their bytes, so that
    all who saw both make the same body.
    """
    if offence.proof is None:
        return None
    one, other = sorted(map(_signed, offence.proof), key=_order)
    if fault_between(one, other) is None:
        return None
    return SubmitEvidence(committee.seats[offence.member].key, one, other)


def _signed(vote: Vote) -> SignedVote:
    about = vote.subject
    return SignedVote(
        about.kind, about.epoch, about.view, about.parent_view, about.block_hash, vote.signature
    )


def _order(vote: SignedVote) -> tuple[int, bytes, bytes]:
    return vote.kind, vote.block_hash, vote.signature
