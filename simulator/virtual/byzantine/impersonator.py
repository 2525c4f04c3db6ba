"""An impersonator: it speaks in others' names, with its own signature or with theirs."""

from collections.abc import Iterable

from consensus.messages import Message, Proposal, Vote
from ledger.primitives.committee import Member
from simulator.virtual.byzantine.mask import Mask, Said


class Impersonator(Mask):
    """Sends its votes under other names too, proposals out of turn, and others' votes as mail."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Add the same message under another's name."""
        said: list[Said] = [(to, message)]
        if isinstance(message, Vote):
            said.append((to, self._under(message, self.chance.choice(self.others))))
        if isinstance(message, Proposal):
            said += self._out_of_turn(message)
        return said

    @staticmethod
    def _under(vote: Vote, name: Member) -> Vote:
        return Vote(vote.subject, name, vote.signature)

    def _out_of_turn(self, proposal: Proposal) -> list[Said]:
        """Claim the next leader's view with one's own block, as oneself and as that leader."""
        about = proposal.vote.subject
        view = about.view + 1
        vote = self.sign(about.kind, view, about.parent_view, about.block_hash)
        parts = (proposal.parent_hash, proposal.payload, proposal.parent, proposal.nullifications)
        named = self._under(vote, self.chance.choice(self.others))
        return [(None, Proposal(vote, *parts)), (None, Proposal(named, *parts))]

    def hears(self, sender: Member, message: Message) -> bool:
        """Pass others' votes on: genuine, but not from their signer."""
        if isinstance(message, Vote) and self.chance.random() < 0.2:
            self.say(self.chance.choice(self.others), message)
        return True
