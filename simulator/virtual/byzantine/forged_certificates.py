"""Forged certificates: too little stake, votes counted twice, signatures moved elsewhere."""

from collections.abc import Iterable
from typing import ClassVar

from consensus.messages import Certificate, Message, Subject, Vote
from ledger.primitives.committee import Member
from ledger.primitives.hashing import ZERO_HASH
from ledger.primitives.scalars import View
from ledger.primitives.votes import VoteKind
from simulator.virtual.byzantine.mask import Mask, Said


class ForgedCertificates(Mask):
    """Claims quorums that never were."""

    beat_ms: ClassVar[int] = 150

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Send the truth, too: a liar that nobody hears does nothing."""
        said: list[Said] = [(to, message)]
        if isinstance(message, Vote) and message.subject.kind is VoteKind.NOTARIZE:
            about = message.subject
            final = self.sign(VoteKind.FINALIZE, about.view, about.parent_view, about.block_hash)
            alone = Certificate(final.subject, ((final.signer, final.signature),))
            said.append((None, alone))
        return said

    def beats(self) -> None:
        """Forge a certificate for the current view or the next."""
        view = self.engine.view + self.chance.randrange(2)
        kind = self.chance.choice(list(VoteKind))
        nullify = kind is VoteKind.NULLIFY
        block_hash = ZERO_HASH if nullify else self.random_hash()
        vote = self.sign(kind, view, 0 if nullify else max(0, view - 1), block_hash)
        self.say(None, self._forge(vote))

    def _forge(self, vote: Vote) -> Certificate:
        everyone = [Member(m) for m in range(len(self.committee.seats))]
        match self.chance.randrange(4):
            case 0:
                return Certificate(vote.subject, ((vote.signer, vote.signature),))
            case 1:
                votes = tuple((vote.signer, vote.signature) for _ in everyone)
                return Certificate(vote.subject, votes)
            case 2:
                votes = tuple((member, vote.signature) for member in everyone)
                return Certificate(vote.subject, votes)
            case _:
                return self._moved(vote)

    def _moved(self, vote: Vote) -> Certificate:
        """Move a genuine certificate's signatures to another view."""
        highest = self.engine.snapshot().highest
        if highest is None:
            return Certificate(vote.subject, ((vote.signer, vote.signature),))
        about = highest.subject
        view = View(about.view + self.chance.randint(1, 3))
        moved = Subject(about.kind, about.epoch, view, about.parent_view, about.block_hash)
        return Certificate(moved, highest.votes)
