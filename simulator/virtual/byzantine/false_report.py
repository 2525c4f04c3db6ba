"""A false report: asked how far the network is, it answers anything but the truth.

A validator that lost its journal asks that, and votes again by the answers (spec §2.4). It must
neither speak too early, nor be kept silent for ever, nor take a forged vote of its key for real.
"""

from collections.abc import Iterable
from typing import ClassVar

from consensus.messages import Certificate, FetchView, Message, Subject, ViewReport, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.scalars import Epoch, Height, View
from ledger.primitives.votes import VoteKind
from node.core.events import Channel
from node.core.wire import Status, encode_sync
from simulator.virtual.byzantine.mask import Mask, Said

VIEWS_AHEAD_MAX = 500
HEIGHTS_AHEAD_MAX = 500


class FalseReport(Mask):
    """Claims to be in the first view, or far ahead; shows votes that the asker never cast."""

    beat_ms: ClassVar[int] = 300

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Lie in reports, and in nothing else."""
        if isinstance(message, ViewReport):
            return [] if to is None else [(to, self._lie(to))]
        return [(to, message)]

    def hears(self, sender: Member, message: Message) -> bool:
        """Answer at once, and once more than the core does."""
        if isinstance(message, FetchView):
            self.say(sender, self._lie(sender))
        return True

    def _lie(self, to: Member) -> ViewReport:
        match self.chance.randrange(4):
            case 0:
                return ViewReport(self.engine.epoch, None, None)
            case 1:
                return ViewReport(self.engine.epoch, self._far(), None)
            case 2:
                held = self.engine.snapshot().highest
                return ViewReport(self.engine.epoch, held, self._forged_vote(to))
            case _:
                later = Epoch(self.engine.epoch + 1)
                return ViewReport(later, self.engine.snapshot().highest, None)

    def _far(self) -> Certificate:
        """Forge the certificate of a view that nobody has reached."""
        view = self.engine.view + self.chance.randint(1, VIEWS_AHEAD_MAX)
        vote = self.sign(VoteKind.NULLIFY, view)
        return Certificate(vote.subject, ((vote.signer, vote.signature),))

    def _forged_vote(self, to: Member) -> Vote:
        """Put the asker's seat above one's own signature."""
        view = View(self.engine.view + self.chance.randrange(3))
        own = self.sign_subject(
            Subject(VoteKind.NULLIFY, self.engine.epoch, view, View(0), ZERO_HASH)
        )
        return Vote(own.subject, self.seat_of(to), own.signature)

    def beats(self) -> None:
        """Lie about one's height, too: too low or too high."""
        ahead = self.chance.randint(-HEIGHTS_AHEAD_MAX, HEIGHTS_AHEAD_MAX)
        height = Height(max(0, self.machine.application.height + ahead))
        self.say_raw(None, Channel.SYNC, encode_sync(Status(height)))
