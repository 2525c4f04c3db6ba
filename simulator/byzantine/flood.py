"""Floods: votes for far views, requests without end, junk transactions."""

from typing import ClassVar

from consensus.messages import FetchCertificates, FetchProposal, VoteKind
from consensus.types import View
from ledger.primitives.codec import encode
from node.core.events import Channel
from node.core.wire import TransactionBatch
from simulator.byzantine.mask import Mask

A_BEAT = 6
VIEWS_AHEAD_MAX = 2_000
JUNK_BYTES = 120


class Flood(Mask):
    """Sends as much as it can of everything that costs the others something."""

    beat_ms: ClassVar[int] = 60

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
