"""Find ports on the loopback interface: free ones, or the ones that were asked for."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from secrets import randbelow
from typing import Final

from simulator.testnet.errors import PlannedPortTaken

LOWEST_PORT: Final = 10_240
BEYOND_PORTS: Final = 32_768
"""Above, systems give ports to connections that go out, and to whoever takes any: a network that
rests would find one of its own taken."""


def find_ports(uses: Sequence[str], base: int | None) -> dict[str, int]:
    """Give each use a port: base, base+1, ... or free ones. `PlannedPortTaken` if one is not free.

    All are held until the last is found, so none is given twice. Between here and a process's own
    bind another program may take one; that process then dies, and is shown with its reason.
    """
    ports: dict[str, int] = {}
    candidates = _anywhere() if base is None else count(base)
    with ExitStack() as held:
        for use in uses:
            port = next(candidates)
            while not _hold(port, held, planned=base is not None):
                if base is not None:
                    raise PlannedPortTaken(port, use)
                port = next(candidates)
            ports[use] = port
    return ports


def _anywhere() -> Iterator[int]:
    """Walk the ports from a random one on: networks that begin together seldom meet."""
    size, first = BEYOND_PORTS - LOWEST_PORT, randbelow(BEYOND_PORTS - LOWEST_PORT)
    for step in count():
        yield LOWEST_PORT + (first + step) % size


def _hold(port: int, held: ExitStack, *, planned: bool) -> bool:
    """Take a port for as long as `held` lasts; tell whether it was free."""
    handle = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    # As servers do: a port whose last connections linger in TIME_WAIT is free.
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(planned))
    try:
        handle.bind(("127.0.0.1", port))
    except OSError as fault:
        if fault.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        return False
    return True
