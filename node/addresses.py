"""Addresses of the internet: who counts as one, and who is believed. No socket is opened here."""

import ipaddress
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from node.errors import BadConfig

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SHOWN_CHARS_MAX: Final = 100
LOOPBACK: Final[tuple[Network, ...]] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)


def check_url(text: str) -> str:
    """Give back where an HTTP client can be sent, or raise `BadConfig` that says how to write it.

    >>> check_url("http://127.0.0.1:26002")
    'http://127.0.0.1:26002'
    """
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # Its port is no number of one, or its brackets don't match.
        sound = False
    if not sound or not text.isprintable() or set(" ?#@") & set(text):
        shown = text.rpartition("@")[2][:SHOWN_CHARS_MAX]  # What stands before it may be a secret.
        raise BadConfig(
            f"{shown!r} is no address of a server: write http://HOST:PORT, with a port from 1 to "
            f"65535 and no name, password, ? or #"
        )
    return text


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Read addresses and networks such as 10.0.0.7 or 10.0.0.0/8; raise `BadConfig`."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text))
        except ValueError as error:
            raise BadConfig(f"{text!r} is no address or network: {error}") from error
    return tuple(found)


def group_of(host: str) -> str:
    """Name whom an address counts for: itself, or its /64, which one IPv6 customer has whole."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def is_trusted(host: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address lies in one of the networks."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
