"""What waits to be sent to one peer on one channel: bounded in bytes, drained in large writes.

A write costs hundreds of microseconds whatever its size, so one `take` joins everything queued,
up to `WRITE_BYTES_MAX` (a larger payload goes alone). Senders never wait: a full outbox drops, by
the channel's policy, and counts.
"""

from collections import deque
from typing import Final

import trio

from node.client.framing import encode_frame
from node.shell.p2p.transport import ChannelLimits, Drop

WRITE_BYTES_MAX: Final = 256 * 1024


class Outbox:
    """A bounded queue of frames with one reader."""

    __slots__ = ("_frames", "_limits", "_wake", "dropped", "held_bytes")

    def __init__(self, limits: ChannelLimits) -> None:
        self._frames: deque[bytes] = deque()
        self._limits = limits
        self._wake = trio.Event()
        self.held_bytes = 0
        self.dropped = 0

    def put(self, payload: bytes) -> bool:
        """Queue a payload; False if this one was dropped. Older ones may be dropped for it."""
        assert len(payload) <= self._limits.frame_bytes_max, "the core keeps to the channel's cap"
        frame = encode_frame(payload)
        room = self._limits.outbox_bytes_max - len(frame)
        if self.held_bytes > room and self._limits.drop is Drop.NEWEST:
            self.dropped += 1
            return False
        while self.held_bytes > room:
            self.held_bytes -= len(self._frames.popleft())
            self.dropped += 1
        self._frames.append(frame)
        self.held_bytes += len(frame)
        self._wake.set()
        return True

    async def take(self, wait_s: float) -> bytes:
        """Give everything queued that fits one write; wait for some; empty after `wait_s`."""
        if not self._frames:
            self._wake = trio.Event()
            with trio.move_on_after(wait_s):
                await self._wake.wait()
        parts: list[bytes] = []
        size = 0
        while self._frames and (not parts or size + len(self._frames[0]) <= WRITE_BYTES_MAX):
            frame = self._frames.popleft()
            parts.append(frame)
            size += len(frame)
        self.held_bytes -= size
        return b"".join(parts)
