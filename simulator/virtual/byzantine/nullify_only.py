"""Nullify only: it gives up every view at once and votes for nothing."""

from collections.abc import Iterable
from typing import ClassVar

from consensus.messages import Message, Proposal, Vote
from ledger.primitives.committee import Member
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said


class NullifyOnly(Mask):
    """Nullifies whatever view its core is in; never notarizes, finalizes or proposes."""

    beat_ms: ClassVar[int] = 150

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # Passed on as they came.
        self._given_up = 0

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Keep back all that would help a block."""
        helps = isinstance(message, Proposal)
        if isinstance(message, Vote):
            helps = message.subject.kind is not VoteKind.NULLIFY
        return () if helps else [(to, message)]

    def beats(self) -> None:
        """Give up the current view, and sometimes the next."""
        view = self.engine.view + self.chance.randrange(2)
        if view > self._given_up:
            self._given_up = view
            self.say(None, self.sign(VoteKind.NULLIFY, view))
