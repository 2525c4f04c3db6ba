"""One listener a port. libp2p sets SO_REUSEPORT, so a second host would bind the same port in
silence and take half of the connections; a lock on a file says no in time.

The lock lives as long as the process: the kernel drops it after kill -9 too.
"""

import fcntl
import os
import tempfile
from pathlib import Path
from types import TracebackType

from node.errors import PortTaken


class PortLock:
    """Holds the right to listen on a port of this machine, among this user's nodes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._descriptor: int | None = None

    def __enter__(self) -> "PortLock":
        """Take the lock, or raise `PortTaken` naming the process that holds it."""
        folder = Path(tempfile.gettempdir()) / f"billcoin-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / f"tcp-{self._port}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise PortTaken(self._port, f"process {holder}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the port back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
