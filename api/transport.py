"""What goes over a network in the clear, found before anything goes; and TLS for whom we serve.

On this machine plain text is between our own processes. To any other host it is refused at the
start, with what, where and how to mend it; `allow_plaintext` is the one way around, and it is
logged. Nothing here opens a connection.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from api.config import ApiConfig
from api.db.address import read_address
from api.errors import ConfigFault
from node.errors import BadKeyFile
from node.home.key_file import check_owner_alone
from node.plaintext import is_this_machine, plain_hosts

CHECKED: Final = "verify-full"
"""The one mode in which PostgreSQL's certificate and host's name are both checked."""


@dataclass(frozen=True, slots=True)
class PlainWay:
    """What would go in the clear, where to, and what makes it safe."""

    what: str
    where: str
    remedy: str


def plain_ways(config: ApiConfig) -> list[PlainWay]:
    """List everything that would leave this machine in the clear."""
    found = [
        PlainWay("node_urls: what nodes say", host, "write https://")
        for host in plain_hosts(config.node_urls)
    ]
    for host in _database_hosts(config.database_url):
        remedy = f"add sslmode={CHECKED} and sslrootcert=FILE to its address"
        found.append(PlainWay("database_url: people's records", host, remedy))
    if not (config.tls_certificate or is_this_machine(config.host)):
        remedy = "name tls_certificate and tls_key, or listen on 127.0.0.1 behind a proxy"
        found.append(PlainWay("host: what callers send", config.host, remedy))
    public = urlsplit(f"//{config.public_host}").hostname or ""
    if config.public_scheme == "http" and not is_this_machine(public):
        found.append(PlainWay("public_scheme: what wallets send", public, 'write "https"'))
    return found


def check_ways(config: ApiConfig) -> list[PlainWay]:
    """Give what goes in the clear by leave; raise `ConfigFault` for what has none."""
    found = plain_ways(config)
    if found and not config.allow_plaintext:
        told = "; ".join(f"{way.what} would go to {way.where}: {way.remedy}" for way in found)
        raise ConfigFault(f"in the clear over a network: {told}; or set allow_plaintext = true")
    return found


def _database_hosts(address: str) -> list[str]:
    """List the other machines that a database is reached at without a checked certificate."""
    parts = urlsplit(read_address(address).dsn)
    given = parse_qs(parts.query)
    if given.get("sslmode") == [CHECKED]:
        return []
    text = given["host"][-1] if "host" in given else parts.netloc.rpartition("@")[2]
    hosts = [_host_of(one) for one in text.split(",") if one]
    return [host for host in hosts if not (host.startswith("/") or is_this_machine(host))]


def _host_of(text: str) -> str:
    """Take the port off a host; one of IPv6 stands in brackets."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text if text.count(":") > 1 else text.partition(":")[0]


def _no_password() -> str:
    """Refuse a key that is encrypted, where OpenSSL would ask at a terminal that isn't there."""
    raise ValueError("the key is encrypted: store it as it is, for its owner's eyes only")


def tls_of(config: ApiConfig) -> ssl.SSLContext | None:
    """Make the TLS that we serve with, 1.3 alone; None if a proxy does it. Raise `ConfigFault`."""
    if not config.tls_certificate:
        return None
    certificate, key = Path(config.tls_certificate), Path(config.tls_key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        check_owner_alone(key)
        context.load_cert_chain(certificate, key, password=_no_password)
    except (BadKeyFile, OSError, ValueError) as fault:  # An SSLError is an OSError.
        why = getattr(fault, "strerror", None) or str(fault)
        raise ConfigFault(f"tls_certificate {certificate}, tls_key {key}: {why}") from None
    return context
