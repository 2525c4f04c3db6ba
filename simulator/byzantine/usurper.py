"""A usurper: it proposes blocks in views that others lead, valid in every other respect."""

from typing import ClassVar

from consensus.effects import Build
from consensus.justify import Gap, choose_parent, justification
from consensus.messages import Proposal, VoteKind
from ledger.primitives.hashing import Hash
from simulator.byzantine.mask import Mask


class Usurper(Mask):
    """Proposes out of turn, faster than the leader."""

    beat_ms: ClassVar[int] = 120

    def beats(self) -> None:
        """Build on the core's best parent for the current view, whoever leads it."""
        machine, state = self.process.machine, self.engine._state
        assert machine is not None
        parent = choose_parent(state)
        if isinstance(parent, Gap) or not state.tree.is_valid(parent) or self.engine.view < 2:
            return
        build = Build(self.engine.view, parent.view, parent.hash)
        block = machine.application.prepare(build, machine.mempool, self.process.clock_ms)
        vote = self.sign(VoteKind.NOTARIZE, build.view, parent.view, Hash(block.hash))
        certificate, nullifications = justification(state, parent)
        self.say(None, Proposal(vote, parent.hash, block.raw, certificate, nullifications))
