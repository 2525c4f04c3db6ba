"""Taking up after a crash: what was durable is known again, and said again (spec §2.1).

Nothing is derived anew: own votes come back as they were signed, and everything else takes the same
way in as the first time.
"""

from collections.abc import Sequence

from consensus import certifying, pacing
from consensus.journal import Record, place_of
from consensus.messages import Certificate, Proposal, Vote
from consensus.state import State
from consensus.tree import block_of
from consensus.types import BlockRef
from ledger.primitives.votes import VoteKind


def replay(s: State, records: Sequence[Record]) -> None:
    """Restore what was durable: own votes first, so that no certificate is formed without them."""
    s.replaying = True
    fresh = [r for r in records if place_of(r) > (s.epoch, s.floor.block.view)]
    assert all(place_of(record)[0] == s.epoch for record in fresh), "an epoch's own records"
    if s.guard is not None:
        s.guard.raise_floor(s.floor.block.view)
    for record in fresh:
        if isinstance(record, Vote):
            _restore_vote(s, record)
    for record in fresh:
        if isinstance(record, Certificate):
            certifying.hold(s, record)
        elif isinstance(record, Proposal):
            _restore_proposal(s, record)
    # The highest view, not the last record's: records of old views may be written late.
    voted = [view for view, known in s.rounds.items() if known.own]
    s.view = max([s.view, *voted])
    s.replaying = False


def _restore_vote(s: State, vote: Vote) -> None:
    """Put a vote back: one's own, or one of two that prove another's equivocation."""
    if vote.signer == s.me:
        assert s.guard is not None
        s.guard.remember(vote)
        s.round(vote.subject.view).own[vote.subject.kind] = vote
    certifying.count_vote(s, vote, verified=True)


def _restore_proposal(s: State, proposal: Proposal) -> None:
    """Put a block back; it is checked again, parents first, once the engine runs."""
    node = s.tree.add(proposal, proposal.vote.signer)
    node.durable = True
    known = s.round(block_of(proposal).view)
    voted = known.own.get(VoteKind.NOTARIZE)
    if voted is None or voted.subject == proposal.vote.subject:
        known.proposal = proposal
    if voted is not None:
        known.note_block(BlockRef(known.view, voted.subject.block_hash))
    certifying.count_vote(s, proposal.vote, verified=True)


def speak_again(s: State) -> None:
    """Say again what may have been lost with the crash, and go on asking for the view's end."""
    known = s.round(s.view)
    if VoteKind.NULLIFY in known.own:
        s.timers.retry_ms = s.now_ms + s.params.retry_ms
    if not s.may_vote:
        return
    if any(s.rounds[view].own for view in s.rounds):
        pacing.resend(s)
    if known.proposal is not None and known.proposal.vote.signer == s.me:
        s.broadcast(known.proposal)
