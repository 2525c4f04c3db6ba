"""Frames on a byte stream: a big-endian u32 length, then that many bytes (docs/spec/wire.md §2).

Used between peers and on the RPC's unix socket. The length is checked against the cap before a
byte of the body is kept, so no sender decides how much memory a reader uses. An empty frame is a
sign of life and carries nothing. Pure: bytes in, frames out.
"""

from struct import Struct
from typing import Final

from node.client.errors import FrameTooLong

_LENGTH = Struct("!I")
HEADER_BYTES: Final = _LENGTH.size
READ_BYTES: Final = 64 * 1024
"""How much a reader asks of a stream at once: one read may hold many frames."""

HEARTBEAT: Final = _LENGTH.pack(0)
"""The empty frame."""


def encode_frame(payload: bytes) -> bytes:
    """Put the length before the payload."""
    return _LENGTH.pack(len(payload)) + payload


class FrameDecoder:
    """Cuts a byte stream into frames of at most `limit` bytes. Holds one partial frame."""

    __slots__ = ("_buffer", "_limit")

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; give the frames they complete. Raise `FrameTooLong` at once."""
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        start, end = 0, len(buffer)
        while end - start >= HEADER_BYTES:
            (size,) = _LENGTH.unpack_from(buffer, start)
            if size > self._limit:
                raise FrameTooLong(size, self._limit)
            stop = start + HEADER_BYTES + size
            if stop > end:
                break
            frames.append(bytes(buffer[start + HEADER_BYTES : stop]))
            start = stop
        del buffer[:start]  # Once a read, not once a frame: many small frames stay linear.
        return frames

    @property
    def held_bytes(self) -> int:
        """Count the bytes of the frame that is not complete yet."""
        return len(self._buffer)
