"""A withheld body: it votes for its own block, and shows the block to nobody."""

from collections.abc import Iterable

from consensus.messages import Message, Proposal
from ledger.primitives.committee import Member
from simulator.virtual.byzantine.mask import Mask, Said


class WithheldBody(Mask):
    """Sends its proposal's vote alone, and answers no request for the body."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Strip proposals to their vote."""
        if not isinstance(message, Proposal):
            return [(to, message)]
        return [(to, message.vote)] if message.vote.signer == self.seat else []
