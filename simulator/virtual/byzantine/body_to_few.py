"""Body to few: just enough others get the block for a quorum with the liars' votes to form."""

from collections.abc import Iterable

from consensus.messages import Message, Proposal
from ledger.primitives.committee import Member
from simulator.virtual.byzantine.mask import Mask, Said


class BodyToFew(Mask):
    """Shows its block to the fewest honest members that make it certain to be notarized."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Choose who sees the block; the rest see the vote."""
        if not isinstance(message, Proposal):
            return [(to, message)]
        if message.vote.signer != self.seat or to is not None:
            return []
        stake = sum(self.stake(m) for m in {self.me, *self.accomplices})
        said: list[Said] = [(m, message) for m in self.others if m in self.accomplices]
        mixed = self.honest_others
        self.chance.shuffle(mixed)
        for member in mixed:
            shown = 3 * stake <= 2 * self.committee.total
            stake += self.stake(member) if shown else 0
            said.append((member, message if shown else message.vote))
        return said
