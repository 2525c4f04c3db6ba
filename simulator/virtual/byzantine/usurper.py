"""A usurper: it proposes blocks in views that others lead, valid in every other respect."""

from typing import ClassVar

from consensus.justify import Gap, choose_parent, justification
from consensus.messages import Proposal
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask


class Usurper(Mask):
    """Proposes out of turn, faster than the leader."""

    beat_ms: ClassVar[int] = 120

    def beats(self) -> None:
        """Build on the core's best parent for the current view, whoever leads it."""
        state = self.engine._state
        parent = choose_parent(state)
        if isinstance(parent, Gap) or not state.tree.is_valid(parent) or self.engine.view < 2:
            return
        block = self.build(self.engine.view, parent.view, parent.hash)
        if block is None:
            return
        vote = self.sign(VoteKind.NOTARIZE, self.engine.view, parent.view, block.hash)
        certificate, nullifications = justification(state, parent)
        self.say(None, Proposal(vote, parent.hash, block.raw, certificate, nullifications))
