"""Where a webhook may go: an address of the open internet, looked up once and held.

A partner names a URL, and whoever holds its name decides where that leads, at any time. So a name
is looked up once a delivery, every address that it gives is judged, and the connection goes to one
of those: nothing looks the name up again. Judged are the ways in which an address can mean another
one, too: IPv4 inside of IPv6 (mapped, 6to4, NAT64).

A chain of development lets `http`, every port, the loopback and private networks pass, so that a
partner can try things on one machine. Link-local addresses pass nowhere: clouds answer there with
credentials.
"""

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

URL_CHARS_MAX: Final = 500
RESOLVE_S: Final = 3.0
_NAT64: Final = IPv6Network("64:ff9b::/96")
_PRINTED: Final = re.compile(r"[!-~]+", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]+\]", re.ASCII)

IpAddress = IPv4Address | IPv6Address


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
    if meant.is_link_local or meant.is_multicast or meant.is_unspecified:
        return False
    if not livemode and (meant.is_loopback or meant.is_private):
        return not meant.is_reserved or meant.is_loopback
    return meant.is_global and not meant.is_reserved


def _meant(address: IpAddress) -> IpAddress:
    """Give the address that an address leads to in the end."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    return address if inner is None else inner


async def resolve(host: str, port: int, *, livemode: bool) -> IpAddress:
    """Look a host up, once; raise `AddressFault` if any of its addresses is none of ours to reach.

    One bad address spoils the name: who mixes a private one in is not given another try.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError):
        raise AddressFault("NAME_NOT_RESOLVED", f"{host} has no address") from None
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not all(may_reach(address, livemode=livemode) for address in addresses):
        raise AddressFault("ADDRESS_REFUSED", f"{host} leads to an address that is not reached")
    if not addresses:
        raise AddressFault("NAME_NOT_RESOLVED", f"{host} has no address")
    return addresses[0]
