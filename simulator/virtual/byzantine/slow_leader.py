"""A slow leader: its proposals come at the last moment, when patience is about to end."""

from collections.abc import Iterable

from consensus.messages import Message, Proposal
from ledger.primitives.committee import Member
from simulator.virtual.byzantine.mask import Mask, Said

EPSILON_MS_MAX = 60


class SlowLeader(Mask):
    """Holds its own proposals back for T_L less a little."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Hold the proposal back, for each member another while."""
        if not isinstance(message, Proposal) or message.vote.signer != self.seat:
            return [(to, message)]
        leader_ms = self.process.env.params.leader_ms
        for member in self.others if to is None else [to]:
            wait_ms = max(1, leader_ms - self.chance.randrange(EPSILON_MS_MAX))
            self.say_later(wait_ms, member, message)
        return []
