"""An equivocating leader: in its own view it shows some one valid block, others another."""

from collections.abc import Iterable

from consensus.messages import Certificate, Message, Proposal, Vote
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said

SECOND_MS = 7
"""The second block's time differs by so much, and with it its hash."""


class EquivocatingLeader(Mask):
    """Splits the others between two blocks, then votes for whichever gets ahead."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Double one's own proposal."""
        mine = isinstance(message, Proposal) and message.vote.signer == self.seat
        if not mine or to is not None or not isinstance(message, Proposal):
            return [(to, message)]
        second = self._second(message)
        if second is None:
            return [(to, message)]
        mixed = list(self.others)
        self.chance.shuffle(mixed)
        at = self.chance.randrange(1, len(mixed) + 1)
        both = [(member, second) for member in mixed if self.chance.random() < 0.1]
        said = [(member, message if i < at else second) for i, member in enumerate(mixed)]
        return [*said, *both]

    def _second(self, first: Proposal) -> Proposal | None:
        about = first.vote.subject
        other = self.build(about.view, about.parent_view, first.parent_hash, SECOND_MS)
        if other is None:
            return None
        vote = self.sign(VoteKind.NOTARIZE, about.view, about.parent_view, other.hash)
        return Proposal(vote, first.parent_hash, other.raw, first.parent, first.nullifications)

    def hears(self, sender: Member, message: Message) -> bool:
        """Finalize whatever was notarized, be it one's second block."""
        if isinstance(message, Certificate) and message.subject.kind is VoteKind.NOTARIZE:
            about = message.subject
            vote: Vote = self.sign(
                VoteKind.FINALIZE, about.view, about.parent_view, about.block_hash
            )
            self.say(None, vote)
        return True
