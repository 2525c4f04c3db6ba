"""A mute: it hears everything and never says a word."""

from collections.abc import Iterable

from consensus.messages import Message
from ledger.primitives.committee import Member
from node.core.events import Channel
from simulator.virtual.byzantine.mask import Mask, Said


class Mute(Mask):
    """Says nothing on any channel."""

    def says(self, to: Member | None, message: Message) -> Iterable[Said]:
        """Say nothing."""
        return ()

    def leaving(
        self, to: Member | None, channel: Channel, payload: bytes
    ) -> list[tuple[Member | None, Channel, bytes]]:
        """Say nothing at all."""
        return []
