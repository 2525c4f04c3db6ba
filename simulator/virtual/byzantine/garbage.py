"""Garbage: bytes that are no message, and messages with their ends torn off."""

from typing import ClassVar

from ledger.primitives.committee import Member
from node.core.events import Channel
from simulator.virtual.byzantine.mask import Mask

BYTES_MAX = 400


class Garbage(Mask):
    """Sends noise on every channel beside what its core says."""

    beat_ms: ClassVar[int] = 80

    def beats(self) -> None:
        """Send noise."""
        channel = self.chance.choice(list(Channel))
        noise = self.chance.randbytes(self.chance.randrange(BYTES_MAX))
        self.say_raw(self.chance.choice(self.others), channel, noise)

    def leaving(
        self, to: Member | None, channel: Channel, payload: bytes
    ) -> list[tuple[Member | None, Channel, bytes]]:
        """Damage every fifth message; send it on another channel now and then."""
        if self.chance.random() < 0.8:
            return [(to, channel, payload)]
        if self.chance.random() < 0.3:
            return [(to, self.chance.choice(list(Channel)), payload)]
        raw = bytearray(payload)
        raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
        cut = self.chance.randrange(1, len(raw) + 1)
        return [(to, channel, bytes(raw[:cut]))]
