"""What would go over a network in the clear: refused where a process starts, unless one says so.

On this machine plain text is between our own processes. To any other host it is refused with what,
where and how to mend it; `allow_plaintext` is the one way around, and it is logged.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog

from node.errors import BadConfig

log = structlog.get_logger("plaintext")


def is_this_machine(host: str) -> bool:
    """Tell whether a host is the loopback: what goes there is read by nobody else."""
    try:
        return ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def plain_hosts(urls: Sequence[str]) -> list[str]:
    """List the other machines that are asked in the clear."""
    hosts = [urlsplit(url).hostname or "" for url in urls if urlsplit(url).scheme == "http"]
    return [host for host in hosts if not is_this_machine(host)]


def check_plain(urls: Mapping[str, Sequence[str]], *, allowed: bool) -> None:
    """Raise `BadConfig` for what would go in the clear; log it where that is allowed.

    - `urls`: what a process asks, by the name of its setting.
    """
    found = [(name, host) for name, asked in urls.items() for host in plain_hosts(asked)]
    if found and not allowed:
        told = "; ".join(f"{name} would go to {host}: write https://" for name, host in found)
        raise BadConfig(f"in the clear over a network: {told}; or set allow_plaintext = true")
    for name, host in found:
        log.warning("in the clear", what=name, at=host)
