"""A late stamp: blocks that bear the latest time that others may bear with, or a later one.

A leader could gain by pushing the chain's time ahead: mandates fall due, milk expires, bonds
mature. The law of block times leaves it two seconds, and a millisecond a block beyond.
"""

from collections.abc import Iterable

from consensus.messages import Message, Proposal
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind
from node.core.application import CLOCK_DRIFT_MS
from simulator.virtual.byzantine.mask import Mask, Said

AHEAD_MS = (
    CLOCK_DRIFT_MS - 300,
    CLOCK_DRIFT_MS,
    CLOCK_DRIFT_MS + 500,
    60_000,
    3_600_000,
)


class LateStamp(Mask):
    """Has its own blocks made again, each for a time to come; one a view, so it isn't caught."""

    _last: tuple[int, Message] | None = None
    """The view of the last block that was made again, and what is said instead."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Put another block of one's own in the place of the honest one."""
        mine = isinstance(message, Proposal) and message.vote.signer == self.seat
        if not mine or not isinstance(message, Proposal) or not message.payload:
            return [(to, message)]
        about = message.vote.subject
        if self._last is not None and self._last[0] == about.view:
            return [(to, self._last[1])]
        ahead_ms = self.chance.choice(AHEAD_MS)
        built = self.build(about.view, about.parent_view, message.parent_hash, ahead_ms)
        if built is None:
            return [(to, message)]
        vote = self.sign(VoteKind.NOTARIZE, about.view, about.parent_view, built.hash)
        parts = (message.parent_hash, built.raw, message.parent, message.nullifications)
        self._last = about.view, Proposal(vote, *parts)
        return [(to, self._last[1])]
