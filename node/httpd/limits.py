"""The bounds of an HTTP server, and the two things of the machine that they depend on.

Nothing here counts or cuts: `admission` and `protocol` hold the bounds that are named here.
"""

import resource
from dataclasses import dataclass
from typing import Final

from node.addresses import LOOPBACK, Network

FILES_SPARED: Final = 256
"""Open files that are left to databases, logs and connections of our own."""
FILES_WANTED: Final = 65_536
CONNECTIONS_MIN: Final = 64
ADDRESS_PART: Final = 4
"""One address holds at most this part of all connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """What one server takes. Sizes in bytes, times in seconds."""

    connections_max: int = 8_192
    per_address_max: int = 256
    """Connections of one address (of one /64 for IPv6) that is not trusted."""
    trusted: tuple[Network, ...] = LOOPBACK
    """Proxies, and this machine: many clients behind one address, so bounded only in all."""
    handshakes_max: int = 1_024
    """TLS handshakes on their way; past it the oldest of the address that has most gives way."""
    handshake_s: int = 10
    """How long one may take."""
    head_bytes_max: int = 64 * 1024
    headers_max: int = 128
    head_s: float = 10.0
    """How long a first request may be waited for, and how long a head may be on its way."""
    idle_s: float = 75.0
    """Above the idle time of tills, who would else connect anew for each payment."""
    body_bytes_max: int = 16 * 1024 * 1024
    """Above what any route reads, so that the route refuses in its own words."""
    body_window_s: float = 10.0
    body_window_bytes: int = 10 * 1024
    """A body brings so many bytes in each window, or is cut: 1 KiB/s, a poor phone's uplink."""
    bodies_bytes_max: int = 64 * 1024 * 1024
    """What unanswered requests hold in all; past it the largest unfinished body is cut."""
    pipelined_max: int = 16
    """Requests of one connection that wait behind the one in work."""
    unread_s: float = 30.0
    """How long a client may read nothing of what is written for it."""
    unread_bytes_max: int = 64 * 1024 * 1024
    """What clients have not read in all; past it the one with most is cut."""


def fit_to_files(wanted: int) -> int:
    """Give how many connections the process may open, raising its limit of files if it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        soft = target
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(CONNECTIONS_MIN, min(wanted, soft - FILES_SPARED))
