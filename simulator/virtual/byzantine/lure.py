"""A lure: the first to tell what is final, and silent when asked for it."""

from typing import ClassVar

from consensus.messages import FetchCertificates, FetchProposal, Message
from ledger.primitives.committee import Member
from ledger.primitives.errors import PrimitiveFault
from node.core.events import Channel
from node.core.wire import GetBlocks, decode_sync
from simulator.virtual.byzantine.mask import Mask


class Lure(Mask):
    """Pushes its newest finalization at everyone, and answers no request at all."""

    beat_ms: ClassVar[int] = 30

    def beats(self) -> None:
        """Be the one who told of it."""
        finalization = self.engine.snapshot().finalization
        if finalization is not None:
            self.say(None, finalization)

    def hears(self, sender: Member, message: Message) -> bool:
        """Leave consensus's requests unanswered."""
        return not isinstance(message, FetchProposal | FetchCertificates)

    def arriving(self, sender: Member, channel: Channel, payload: bytes) -> bool:
        """Leave block sync's requests unanswered, too."""
        if channel is not Channel.SYNC:
            return super().arriving(sender, channel, payload)
        try:
            return not isinstance(decode_sync(payload), GetBlocks)
        except PrimitiveFault:
            return True
