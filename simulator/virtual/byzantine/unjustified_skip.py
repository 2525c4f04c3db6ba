"""An unjustified skip: it builds on an old block, as if what came after had been nullified."""

from collections.abc import Iterable

from consensus.messages import Certificate, Message, Proposal
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said


class UnjustifiedSkip(Mask):
    """Leaves out the notarized block that it ought to build on."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Build on the floor instead of the tip."""
        if not isinstance(message, Proposal) or message.vote.signer != self.seat:
            return [(to, message)]
        floor, about = self.engine.floor, message.vote.subject
        if about.parent_view <= floor.block.view:
            return [(to, message)]
        built = self.build(about.view, floor.block.view, floor.block.hash)
        if built is None:
            return [(to, message)]
        vote = self.sign(VoteKind.NOTARIZE, about.view, floor.block.view, built.hash)
        skipped = range(floor.block.view + 1, about.view)
        gap = tuple(c for view in skipped if (c := self._nullification(view)) is not None)
        return [(to, Proposal(vote, floor.block.hash, built.raw, floor.finalization, gap))]

    def _nullification(self, view: int) -> Certificate | None:
        """Give a genuine nullification, or forge one, or leave it out."""
        genuine = self.engine.snapshot().holds(VoteKind.NULLIFY, view)
        if genuine is not None or self.chance.random() < 0.5:
            return genuine
        own = self.sign(VoteKind.NULLIFY, view)
        return Certificate(own.subject, ((own.signer, own.signature),))
