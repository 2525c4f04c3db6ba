"""Bogus replies: whoever asks it for blocks or certificates gets something else."""

from collections.abc import Iterable
from typing import ClassVar

from consensus.messages import Certificate, FetchCertificates, FetchProposal, Message, Proposal
from ledger.primitives.committee import Member
from ledger.primitives.errors import PrimitiveFault
from ledger.primitives.votes import VoteKind
from node.core.events import Channel
from node.core.wire import Blocks, GetBlocks, Status, decode_sync, encode_sync
from simulator.virtual.byzantine.mask import Mask, Said

REMEMBERED_MAX = 30
HEIGHT_LIE_MAX = 200


class BogusFetch(Mask):
    """Answers with other blocks, altered bodies, forged finality; claims heights it has not."""

    beat_ms: ClassVar[int] = 700

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]  # Passed on as they came.
        self._seen: list[Proposal] = []

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Remember proposals; speak like anyone else."""
        self._remember(message)
        return [(to, message)]

    def _remember(self, message: Message) -> None:
        if isinstance(message, Proposal):
            self._seen = [*self._seen[1 - REMEMBERED_MAX :], message]

    def hears(self, sender: Member, message: Message) -> bool:
        """Answer requests with lies, and keep them from the core."""
        self._remember(message)
        match message:
            case FetchProposal(view=view, block_hash=block_hash):
                self._answer_body(sender, view, block_hash)
                return False
            case FetchCertificates(first=first):
                vote = self.sign(VoteKind.NULLIFY, first)
                self.say(sender, Certificate(vote.subject, ((vote.signer, vote.signature),)))
                return False
        return True

    def _answer_body(self, sender: Member, view: int, block_hash: bytes) -> None:
        if not self._seen:
            return
        asked = [p for p in self._seen if p.vote.subject.block_hash == block_hash]
        shown = self.chance.choice(asked or self._seen)
        if self.chance.random() < 0.7:
            # The right vote above bytes that are not its block.
            payload = bytes(reversed(shown.payload))
            parts = (shown.parent, shown.nullifications)
            shown = Proposal(shown.vote, shown.parent_hash, payload, *parts)
        self.say(sender, shown)

    def beats(self) -> None:
        """Claim a height."""
        height = self.chance.randrange(HEIGHT_LIE_MAX)
        self.say_raw(None, Channel.SYNC, encode_sync(Status(height)))

    def arriving(self, sender: Member, channel: Channel, payload: bytes) -> bool:
        """Answer block sync with lies, too."""
        if channel is not Channel.SYNC:
            return super().arriving(sender, channel, payload)
        try:
            message = decode_sync(payload)
        except PrimitiveFault:
            return True
        if isinstance(message, GetBlocks) and self._seen and self.chance.random() < 0.8:
            self._answer_sync(sender)
            return False
        return True

    def _answer_sync(self, sender: Member) -> None:
        """Send a real block under a finalization that one alone has signed."""
        shown = self._seen[-1]
        about = shown.vote.subject
        vote = self.sign(VoteKind.FINALIZE, about.view, about.parent_view, about.block_hash)
        alone = Certificate(vote.subject, ((vote.signer, vote.signature),))
        blocks = Blocks((shown.payload,), alone, self.chance.randrange(HEIGHT_LIE_MAX))
        self.say_raw(sender, Channel.SYNC, encode_sync(blocks))
