"""Three repairs of py-libp2p 0.8.1, applied once a process and pinned to that version.

Window updates: yamux sends one after every read, each an encrypted message and a system call of
its own; here one goes out per half window, and the window stops growing at 1 MiB. Buffered reads:
Noise reads a 2-byte length and then a body, two system calls a message; here both come from one
64 KiB read. Together they save a quarter to a half of the CPU of receiving. Auto-connector: when
a connection ends it would dial towards the middle of two watermarks, one of which must be high
lest connections be pruned; here only the transport dials.

Another version of libp2p is refused rather than patched blindly.
"""

from typing import Final

import libp2p
import trio
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.io.trio import TrioTCPStream
from libp2p.network.auto_connector import AutoConnector
from libp2p.stream_muxer.yamux.yamux import YamuxStream

VERSION: Final = "0.8.1"
WINDOW_BYTES_MAX: Final = 1024 * 1024
READ_BYTES: Final = 64 * 1024

_plain_init = TrioTCPStream.__init__


async def _update_window(stream: YamuxStream, *, bytes_read: int = 0) -> None:
    """Give credit back once half of the window was consumed, doubling it up to the maximum."""
    stream._pending_recv_release += bytes_read
    if stream._pending_recv_release < stream.target_recv_window // 2:
        return
    credit, stream._pending_recv_release = stream._pending_recv_release, 0
    if stream.target_recv_window < WINDOW_BYTES_MAX:
        credit += stream.target_recv_window
        stream.target_recv_window *= 2
    stream.recv_window += credit
    await stream.send_window_update(credit)


def _init_buffered(tcp: TrioTCPStream, stream: trio.SocketStream) -> None:
    _plain_init(tcp, stream)
    tcp._billcoin_buffer = bytearray()  # type: ignore[attr-defined]  # ours, on their object


async def _read_buffered(tcp: TrioTCPStream, n: int | None = None) -> bytes:
    """Give up to `n` bytes, from what one large read brought."""
    buffer: bytearray = tcp._billcoin_buffer  # type: ignore[attr-defined]  # set by _init_buffered
    if n == 0:
        return b""
    if not buffer:
        async with tcp.read_lock:
            try:
                buffer += await tcp.stream.receive_some(READ_BYTES)
            except trio.BrokenResourceError as error:
                raise ConnectionClosedError(f"reset by peer: {error}", transport="tcp") from error
            except trio.ClosedResourceError:
                return b""
    size = len(buffer) if n is None else n
    data = bytes(buffer[:size])
    del buffer[:size]
    return data


async def _connect_to_nobody(_connector: AutoConnector) -> None:
    """Leave dialling to the transport, which knows whom this node may talk to."""


def apply_patches() -> None:
    """Put the repairs in place. Idempotent."""
    assert libp2p.__version__ == VERSION, (
        f"the patches are written for libp2p {VERSION}, this is {libp2p.__version__}: "
        f"check them against the new source, then change VERSION"
    )
    # The type checker is right that these replace methods: that is what a patch is.
    YamuxStream._auto_tune_and_send_window_update = (  # type: ignore[method-assign]
        _update_window  # type: ignore[assignment]
    )
    AutoConnector.maybe_connect = (  # type: ignore[method-assign]
        _connect_to_nobody  # type: ignore[assignment]
    )
    TrioTCPStream.__init__ = _init_buffered  # type: ignore[method-assign,assignment]
    TrioTCPStream.read = _read_buffered  # type: ignore[method-assign,assignment]
