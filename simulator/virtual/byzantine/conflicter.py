"""A conflicter: whatever it votes for, it also votes for another block."""

from collections.abc import Iterable

from consensus.messages import Message, Vote
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said


class Conflicter(Mask):
    """Doubles every notarize and finalize with one for an invented block."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Send the vote and its rival, in either order."""
        said: list[Said] = [(to, message)]
        if isinstance(message, Vote) and message.subject.kind is not VoteKind.NULLIFY:
            about = message.subject
            rival = self.sign(about.kind, about.view, about.parent_view, self.random_hash())
            said.insert(self.chance.randrange(2), (to, rival))
        return said
