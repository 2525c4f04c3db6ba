"""Outdated votes: it goes on voting about views that are long over."""

from collections.abc import Iterable
from typing import ClassVar

from consensus.messages import Message, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said

VIEWS_BACK_MAX = 40


class Outdated(Mask):
    """Votes of every kind for old views, and its true votes late."""

    beat_ms: ClassVar[int] = 100

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Send one's votes late, sometimes very late."""
        if isinstance(message, Vote):
            self.say_later(self.chance.randrange(1, 3_000), to, message)
            return []
        return [(to, message)]

    def beats(self) -> None:
        """Vote about the past."""
        view = self.engine.view - self.chance.randrange(VIEWS_BACK_MAX)
        if view < 1:
            return
        kind = self.chance.choice(list(VoteKind))
        if kind is VoteKind.NULLIFY:
            self.say(None, self.sign(kind, view, 0, ZERO_HASH))
        else:
            self.say(None, self.sign(kind, view, view - 1, self.random_hash()))
