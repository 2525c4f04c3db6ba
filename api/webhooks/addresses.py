"""Where a webhook may go: an address of the open internet.

A partner names a URL, and whoever holds its name decides where that leads, at any time. So a name
is looked up once a delivery, every address that it gives is judged, and the connection goes to one
of those: nothing looks the name up again. Judged are the ways in which an address can mean another
one, too: IPv4 inside of IPv6 (mapped, 6to4, NAT64). `api.webhooks.lookups` does the looking up.

A chain of development lets `http`, every port, the loopback and private networks pass, so that a
partner can try things on one machine. Link-local addresses, and others at which clouds answer with
credentials, pass nowhere. The networks are written out here: what Python's `is_global` holds true
differs between its versions.
"""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final
from urllib.parse import SplitResult, urlsplit

URL_CHARS_MAX: Final = 500
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")
"""All that is given out of IPv6 as yet: whatever lies outside of it has another meaning."""
_PRINTED: Final = re.compile(r"[!-~]+", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]+\]", re.ASCII)

IpAddress = IPv4Address | IPv6Address
_IpNetwork = IPv4Network | IPv6Network

_NOWHERE: Final[tuple[_IpNetwork, ...]] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # This host, by another name.
        "168.63.129.16/32",  # Azure's own.
        "192.0.0.0/24",  # Of protocols; Oracle's cloud answers there.
        "100.100.100.200/32",  # Alibaba's.
        "2001::/32",  # Teredo: leads to an IPv4 address and a port inside of it.
        "64:ff9b:1::/48",  # NAT64 of a network's own: where the IPv4 address stands, it decides.
        "fec0::/10",  # Site-local, as private networks were once.
        "fd00:ec2::/32",  # Amazon's.
        "fd20:ce::/32",  # Google's.
        "fd00:c1::/32",  # Oracle's.
        "fd00:42::/32",  # Scaleway's.
    )
)
"""Where no service sends anything."""
_NOT_LIVE: Final[tuple[_IpNetwork, ...]] = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # Shared by customers of one provider.
        "192.0.2.0/24",  # In documents alone, as the next two.
        "198.51.100.0/24",
        "203.0.113.0/24",
        "192.31.196.0/24",  # Answered by whoever is near, as the next three.
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "198.18.0.0/15",  # For measuring.
        "2001::/23",  # Of protocols.
        "2001:db8::/32",  # In documents alone, as the next.
        "3fff::/20",
        "2620:4f:8000::/48",
    )
)
"""Where a live service sends nothing, beyond what is loopback or private."""


class AddressFault(ValueError):
    """An address to which nothing is sent. `code` says why, for programs."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def check_url(url: str, *, livemode: bool) -> SplitResult:
    """Read a webhook's URL; raise `AddressFault` with what is wrong with it."""
    if len(url) > URL_CHARS_MAX or _PRINTED.fullmatch(url) is None:
        raise AddressFault("NOT_A_URL", "a URL has plain visible characters, at most 500")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressFault("NOT_A_URL", "that is no URL") from None
    host = parts.netloc.rpartition("@")[2]
    host = host if host.endswith("]") else host.rpartition(":")[0] or host
    if parts.scheme not in ("http", "https") or _HOST.fullmatch(host) is None:
        raise AddressFault("NOT_A_URL", "a webhook's URL begins with https:// and a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressFault("NOT_A_URL", "a webhook's URL has neither a user nor a fragment")
    if port == 0:
        raise AddressFault("NOT_A_URL", "that is no port")
    if livemode and (parts.scheme != "https" or port not in (None, 443)):
        raise AddressFault("HTTPS_WANTED", "on a live chain, webhooks go to https on port 443")
    literal = _literal(parts.hostname or "")
    if literal is not None and not may_reach(literal, livemode=livemode):
        raise AddressFault("ADDRESS_REFUSED", "nothing is sent to such an address")
    return parts


def _literal(host: str) -> IpAddress | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def may_reach(address: IpAddress, *, livemode: bool) -> bool:
    """Tell whether a webhook may go to an address."""
    meant = _meant(address)
    if meant.is_link_local or meant.is_multicast or meant.is_unspecified or _in(_NOWHERE, meant):
        return False
    if not livemode and (meant.is_loopback or meant.is_private):
        return not meant.is_reserved or meant.is_loopback
    if meant.version == 6 and meant not in _UNICAST:
        return False
    return meant.is_global and not meant.is_reserved and not _in(_NOT_LIVE, meant)


def _in(networks: tuple[_IpNetwork, ...], address: IpAddress) -> bool:
    return any(address in network for network in networks)


def _meant(address: IpAddress) -> IpAddress:
    """Give the address that an address leads to in the end."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return address if inner is None else inner
