"""Leading a view: choose the parent, have a block built, propose it (rule R2, spec §1.4)."""

from consensus.certifying import count_vote
from consensus.effects import Build
from consensus.events import Built
from consensus.justify import Gap, choose_parent, justification
from consensus.messages import Proposal, Subject
from consensus.pacing import proposal_due_ms
from consensus.state import State
from consensus.tree import BlockStatus
from consensus.voting import sign
from ledger.primitives.votes import VoteKind


def is_to_propose(s: State) -> bool:
    """Tell whether it is this validator's turn and nothing of the view is signed yet."""
    if not s.may_vote or s.schedule.leader(s.view) != s.me:
        return False
    return not s.round(s.view).own and not s.round(s.view).refused


def propose(s: State) -> bool:
    """Ask for a block once one is due and its parent is here and valid (R2)."""
    if not is_to_propose(s) or s.building is not None or s.now_ms < proposal_due_ms(s, 0):
        return False
    parent = choose_parent(s)
    if isinstance(parent, Gap) or not s.tree.is_valid(parent):
        return False
    s.building = (s.view, parent)
    s.effects.append(Build(s.view, parent.view, parent.hash))
    return True


def take_built(s: State, event: Built) -> None:
    """Propose the block that was built, or give the view up if none could be."""
    if s.building is None or s.building[0] != event.view or not is_to_propose(s):
        return
    parent = s.building[1]
    s.building = None
    known = s.round(s.view)
    if event.block is None:
        known.refused = True
        return
    assert s.me is not None
    block_hash, payload = event.block
    subject = Subject(VoteKind.NOTARIZE, s.epoch, s.view, parent.view, block_hash)
    certificate, nullifications = justification(s, parent)
    vote = sign(s, subject)
    proposal = Proposal(vote, parent.hash, payload, certificate, nullifications)
    node = s.tree.add(proposal, s.me)
    node.standing = BlockStatus.VALID
    s.make_durable(node)
    known.proposal, known.proposed_ms = proposal, s.now_ms
    s.broadcast(proposal)
    count_vote(s, vote, verified=True)
