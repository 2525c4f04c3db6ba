"""Floods: votes for far views, requests without end, junk transactions.

They come in waves: each asks for more than a member is answered within a delta, so it runs into
the bounds. A steady flood would find nothing more, and cost as much as all other scenarios.
"""

from typing import ClassVar

from consensus.messages import Certificate, FetchCertificates, FetchProposal, Message
from ledger.primitives.codec import encode
from ledger.primitives.committee import Member
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from node.core.events import Channel
from node.core.wire import TransactionBatch
from simulator.virtual.byzantine.mask import Mask

A_BEAT = 24
VIEWS_AHEAD_MAX = 2_000
JUNK_BYTES = 120


class Flood(Mask):
    """Sends as much as it can of everything that costs the others something."""

    beat_ms: ClassVar[int] = 800

    def hears(self, sender: Member, message: Message) -> bool:
        """Throw away the answers: of what it asked for, it needs nothing."""
        if not isinstance(message, Certificate):
            return True
        about, engine = message.subject, self.engine
        return (about.epoch, about.view) > (engine.epoch, engine.floor.block.view)

    def beats(self) -> None:
        """Flood the others."""
        for _ in range(A_BEAT):
            view = max(1, self.engine.view + self.chance.randint(-40, VIEWS_AHEAD_MAX))
            match self.chance.randrange(4):
                case 0:
                    vote = self.sign(VoteKind.NOTARIZE, view, view - 1, self.random_hash())
                    self.say(None, vote)
                case 1:
                    self.say(None, FetchProposal(View(view), self.random_hash()))
                case 2:
                    self.say(None, FetchCertificates(View(1), View(view)))
                case _:
                    junk = tuple(self.chance.randbytes(JUNK_BYTES) for _ in range(3))
                    self.say_raw(None, Channel.TRANSACTIONS, encode(TransactionBatch(junk)))
