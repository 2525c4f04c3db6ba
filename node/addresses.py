"""Addresses of the internet: who counts as one, and who is believed. No socket is opened here."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from node.errors import BadConfig

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK: Final[tuple[Network, ...]] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)


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
