"""A usurper: it proposes blocks in views that others lead, valid in every other respect."""

from typing import ClassVar

from consensus.messages import Proposal
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask


class Usurper(Mask):
    """Proposes out of turn, faster than the leader."""

    beat_ms: ClassVar[int] = 120

    def beats(self) -> None:
        """Build on the core's best parent for the current view, whoever leads it."""
        known = self.engine.snapshot()
        if known.parent is None or known.view < 2:
            return
        parent = known.parent.block
        block = self.build(known.view, parent.view, parent.hash)
        if block is None:
            return
        vote = self.sign(VoteKind.NOTARIZE, known.view, parent.view, block.hash)
        proof = (known.parent.certificate, known.parent.nullifications)
        self.say(None, Proposal(vote, parent.hash, block.raw, *proof))
