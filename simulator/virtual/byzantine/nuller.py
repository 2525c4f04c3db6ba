"""A nuller: it nullifies every view that it also helps to finalize."""

from collections.abc import Iterable

from consensus.messages import Message, Vote
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said


class Nuller(Mask):
    """Sends a nullify, and a finalize, beside each notarize."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Add the two votes that exclude each other."""
        said: list[Said] = [(to, message)]
        if isinstance(message, Vote) and message.subject.kind is VoteKind.NOTARIZE:
            about = message.subject
            final = self.sign(VoteKind.FINALIZE, about.view, about.parent_view, about.block_hash)
            said += [(to, self.sign(VoteKind.NULLIFY, about.view)), (to, final)]
            self.chance.shuffle(said)
        return said
