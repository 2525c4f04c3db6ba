"""When to sign: notarize, nullify, finalize (rules R3 to R6, spec §1.4).

Each rule is a question over the state, asked again whenever something changed, and one act. What
a rule forbids here, the guard forbids again behind it.
"""

from consensus.certifying import count_vote
from consensus.inactivity import is_inactive_leader
from consensus.justify import find_gap, has_lawful_parent, skips_final
from consensus.messages import Proposal, Subject, Vote
from consensus.pacing import patience_ends_ms
from consensus.state import State
from consensus.tree import BlockStatus, block_of
from consensus.view import certified_block
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind


def sign(s: State, subject: Subject) -> Vote:
    """Sign once and for ever: the vote is durable before it is sent, and resent as it is."""
    assert s.guard is not None, "observers never vote"
    vote = s.guard.sign(subject)
    s.round(subject.view).own[subject.kind] = vote
    s.persist(subject.view, vote)
    return vote


def cast(s: State, subject: Subject) -> None:
    """Sign, send and count a vote."""
    vote = sign(s, subject)
    s.broadcast(vote)
    count_vote(s, vote, verified=True)


def notarizable(s: State) -> Proposal | None:
    """Give the current view's proposal if R3 allows to vote for it now."""
    known = s.round(s.view)
    proposal = known.proposal
    if not s.may_vote or proposal is None or known.refused or known.equivocated:
        return None
    if VoteKind.NOTARIZE in known.own or VoteKind.NULLIFY in known.own:
        return None
    node = s.tree.get(block_of(proposal))
    # Another copy of the body may lie under the same hash: only the leader's own was judged here.
    if node is None or node.standing is not BlockStatus.VALID:
        return None
    lawful = has_lawful_parent(s, proposal) and find_gap(s, proposal) is None
    return proposal if lawful else None


def notarize(s: State) -> bool:
    """Vote for the view's block (R3)."""
    proposal = notarizable(s)
    if proposal is None:
        return False
    node = s.tree.get(block_of(proposal))
    assert node is not None
    s.make_durable(node)
    cast(s, proposal.vote.subject)
    return True


def must_nullify(s: State) -> bool:
    """Tell whether R4 asks to give the current view up."""
    known = s.round(s.view)
    if not s.may_vote or VoteKind.NULLIFY in known.own or VoteKind.FINALIZE in known.own:
        return False
    leader = s.schedule.leader(s.view)
    given_up = (VoteKind.NULLIFY, leader) in known.tally.first
    unlawful = known.proposal is not None and skips_final(s, known.proposal)
    if known.refused or known.equivocated or given_up or unlawful:
        return True
    if s.timers.armed_ms is None:
        return False
    if known.proposal is not None:
        return s.is_due(patience_ends_ms(s, s.params.advance_ms))
    # spec §1 R9: an inactive leader gets no time, unless its proposal is in hand.
    return s.is_due(patience_ends_ms(s, s.params.leader_ms)) or is_inactive_leader(s)


def nullify(s: State) -> bool:
    """Vote to skip the current view (R4), and go on asking until it ends."""
    if not must_nullify(s):
        return False
    s.timers.retry_ms = s.now_ms + s.params.retry_ms
    cast(s, Subject(VoteKind.NULLIFY, s.epoch, s.view, View(0), ZERO_HASH))
    return True


def finalizable(s: State, view: View) -> Subject | None:
    """Give what R5 allows to sign as final in a view, left or not."""
    known = s.rounds.get(view)
    if not s.may_vote or known is None or view <= s.finalized_view or known.equivocated:
        return None
    notarization = known.certificates.get(VoteKind.NOTARIZE)
    if notarization is None or VoteKind.NULLIFY in known.own or VoteKind.FINALIZE in known.own:
        return None
    own = known.own.get(VoteKind.NOTARIZE)
    if own is not None and own.subject != notarization.subject:
        return None
    if not s.tree.is_valid(certified_block(notarization)):
        return None
    about = notarization.subject
    return Subject(VoteKind.FINALIZE, about.epoch, about.view, about.parent_view, about.block_hash)


def vote_final(s: State) -> bool:
    """Vote to finalize wherever something changed (R5)."""
    views = sorted(s.touched)
    s.touched.clear()
    acted = False
    for view in views:
        subject = finalizable(s, view)
        if subject is None:
            continue
        known = s.rounds[view]
        assert known.block is not None
        node = s.tree.get(known.block)
        assert node is not None, "a valid block above the floor has its body here"
        s.make_durable(node)
        cast(s, subject)
        acted = True
    return acted
