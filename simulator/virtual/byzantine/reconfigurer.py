"""A reconfigurer: it votes in epochs that are not."""

from collections.abc import Iterable

from consensus.messages import Message, Proposal, Vote
from ledger.primitives.committee import Member
from simulator.virtual.byzantine.mask import Mask, Said

EPOCHS_AHEAD_MAX = 3


class Reconfigurer(Mask):
    """Moves its votes and proposals into another epoch, sometimes beside the true ones."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Say it in the wrong epoch."""
        if isinstance(message, Vote):
            said: list[Said] = [(to, self._elsewhere(message))]
        elif isinstance(message, Proposal):
            vote = self._elsewhere(message.vote)
            parts = (message.parent_hash, message.payload, message.parent, message.nullifications)
            said = [(to, Proposal(vote, *parts))]
        else:
            return [(to, message)]
        return said if self.chance.random() < 0.5 else [*said, (to, message)]

    def _elsewhere(self, vote: Vote) -> Vote:
        about = vote.subject
        ahead = self.chance.randint(1, EPOCHS_AHEAD_MAX)
        return self.sign(about.kind, about.view, about.parent_view, about.block_hash, ahead)
