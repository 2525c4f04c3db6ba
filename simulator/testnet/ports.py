"""Find ports on the loopback interface: free ones, or the ones that were asked for."""

import errno
import socket
from collections.abc import Sequence
from contextlib import ExitStack

from simulator.testnet.errors import PlannedPortTaken


def find_ports(uses: Sequence[str], base: int | None) -> dict[str, int]:
    """Give each use a port: base, base+1, ... or free ones. `PlannedPortTaken` if one is not free.

    All are held until the last is found, so none is given twice. Between here and a process's own
    bind another program may take one; that process then dies, and is shown with its reason.
    """
    ports: dict[str, int] = {}
    with ExitStack() as held:
        for index, use in enumerate(uses):
            wanted = 0 if base is None else base + index
            handle = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            # As servers do: a port whose last connections linger in TIME_WAIT is free.
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(wanted != 0))
            try:
                handle.bind(("127.0.0.1", wanted))
            except OSError as fault:
                if fault.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
                raise PlannedPortTaken(wanted, use) from None
            ports[use] = handle.getsockname()[1]
    return ports
