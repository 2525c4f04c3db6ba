"""Four repairs of py-libp2p 0.8.1, applied once a process and pinned to that version.

Window updates: yamux sends one after every read, each an encrypted message and a system call of
its own; here one goes out per half window, and the window stops growing at 1 MiB. Buffered reads:
Noise reads a 2-byte length and then a body, two system calls a message; here both come from one
64 KiB read. Together they save a quarter to a half of the CPU of receiving. Auto-connector: when
a connection ends it would dial towards the middle of two watermarks, one of which must be high
lest connections be pruned; here only the transport dials. Names: multistream-select reads a line
of any length that a stranger announces, 6.6 MB of it before it gives up; here 1 KiB at most.

Another version of libp2p is refused rather than patched blindly.
"""

from typing import Final

import libp2p
import trio
from libp2p.exceptions import ParseError
from libp2p.io.exceptions import ConnectionClosedError, IOException
from libp2p.io.trio import TrioTCPStream
from libp2p.network.auto_connector import AutoConnector
from libp2p.protocol_muxer.exceptions import MultiselectCommunicatorError
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.stream_muxer.yamux.yamux import YamuxStream
from libp2p.utils.varint import read_varint_prefixed_bytes_limited

VERSION: Final = "0.8.1"
WINDOW_BYTES_MAX: Final = 1024 * 1024
READ_BYTES: Final = 64 * 1024
NAME_BYTES_MAX: Final = 1024

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


async def _read_name(communicator: MultiselectCommunicator) -> str:
    """Read one protocol's name, or what stands in its place."""
    try:
        line = await read_varint_prefixed_bytes_limited(communicator.read_writer, NAME_BYTES_MAX)
        name = line.decode()
    except (ParseError, IOException, UnicodeDecodeError) as error:
        raise MultiselectCommunicatorError("no name of a protocol was sent") from error
    if not name.endswith("\n"):
        raise MultiselectCommunicatorError("a name of a protocol ends with its line")
    return name[:-1]


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
    MultiselectCommunicator.read = _read_name  # type: ignore[method-assign,assignment]
    TrioTCPStream.__init__ = _init_buffered  # type: ignore[method-assign,assignment]
    TrioTCPStream.read = _read_buffered  # type: ignore[method-assign,assignment]
