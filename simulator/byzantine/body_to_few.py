"""Body to few: just enough others get the block for a quorum with the liars' votes to form."""

from collections.abc import Iterable

from consensus.messages import Message, Proposal
from consensus.types import Member
from simulator.byzantine.mask import Mask, Said


class BodyToFew(Mask):
    """Shows its block to the fewest honest members that make it certain to be notarized."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Choose who sees the block; the rest see the vote."""
        if not isinstance(message, Proposal):
            return [(to, message)]
        if message.vote.signer != self.me or to is not None:
            return []
        committee = self.process.stage.cast.committee
        stake = sum(committee.seats[m].stake for m in {self.me, *self.accomplices})
        said: list[Said] = [(m, message) for m in self.others if m in self.accomplices]
        mixed = self.honest_others
        self.chance.shuffle(mixed)
        for member in mixed:
            shown = 3 * stake <= 2 * committee.total
            stake += committee.seats[member].stake if shown else 0
            said.append((member, message if shown else message.vote))
        return said
