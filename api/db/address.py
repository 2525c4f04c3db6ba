"""The address of a database, as its host hands it out: a libpq connection URI.

The driver reads most of libpq's parameters itself. Here it is made sure that it reads all that
stand in the address: what it calls otherwise is translated, what it can't do is refused by name,
since a parameter that is passed over in silence (`channel_binding=require`) may be one that
somebody relies on. No message holds a password.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from api.errors import ConfigFault

CONNECT_TIMEOUT_S: Final = 5
COMMAND_TIMEOUT_S: Final = 15

_SCHEMES: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
_SSL_MODES: Final = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_READ_BY_THE_DRIVER: Final = frozenset({
    "host", "port", "dbname", "database", "user", "password", "passfile", "service", "servicefile",
    "sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation",
    "ssl_min_protocol_version", "ssl_max_protocol_version", "target_session_attrs", "krbsrvname",
    "gsslib", "application_name", "options",
})  # fmt: skip
_FILES: Final = frozenset({"passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl"})
_OTHER_NAMES: Final = {"ssl": "sslmode"}
_DONE_ANYHOW: Final = {
    "client_encoding": frozenset({"utf8", "utf-8", "auto"}),
    "channel_binding": frozenset({"disable", "prefer"}),
    "gssencmode": frozenset({"disable", "prefer"}),
    "sslcompression": frozenset({"0"}),
    "sslsni": frozenset({"1"}),
}
"""Parameters that the driver doesn't know, with the values that say what it does anyhow."""
_SHAPE: Final = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"


@dataclass(frozen=True)
class DatabaseAddress:
    """A database that can be connected to. `where` tells of it without its password."""

    dsn: str = field(repr=False)
    where: str
    database: str
    connect_timeout_s: float = CONNECT_TIMEOUT_S

    async def connect(self) -> Any:
        """Open a connection; what goes wrong is one of `api.db.faults.DATABASE_FAULTS`."""
        import asyncpg  # Commands that only write a configuration need no driver.

        return await asyncpg.connect(
            self.dsn, timeout=self.connect_timeout_s, command_timeout=COMMAND_TIMEOUT_S
        )


def read_address(text: str) -> DatabaseAddress:
    """Read a connection URI; raise `ConfigFault`, which says what to write instead."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ConfigFault(f"its host is not one: {_SHAPE}") from None
    if parts.scheme not in _SCHEMES:
        raise ConfigFault(f"it begins with {parts.scheme[:20] or 'nothing'!r}: {_SHAPE}")
    if parts.fragment:
        raise ConfigFault("a # stands in it: in a name or password write %23")
    hosts = _check_hosts(parts)
    given = _read_parameters(parts.query)
    timeout_s = _timeout_s(given.pop("connect_timeout", None))
    database = given.get("dbname") or given.get("database") or unquote(parts.path.lstrip("/"))
    user = given.get("user") or unquote(parts.netloc.rpartition("@")[0].partition(":")[0])
    at = given.get("host") or hosts or "the local socket"
    dsn = f"postgresql://{parts.netloc}{parts.path}"
    if given:
        dsn += "?" + urlencode(given, quote_via=quote)
    where = f"{at}/{database}" + (f" as {user}" if user else "")
    return DatabaseAddress(dsn, where, database, timeout_s)


def _check_hosts(parts: SplitResult) -> str:
    """Give the hosts with their ports, after looking at each."""
    hosts = parts.netloc.rpartition("@")[2]
    for host in hosts.split(","):
        _, _, behind = host.rpartition("]")
        name, colon, port = behind.partition(":")
        if colon:
            _check_port(port)
        if not name and colon and "]" not in host:
            raise ConfigFault(f"a port stands in it without a host: {_SHAPE}")
    return hosts


def _check_port(port: str) -> None:
    if not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65_535):
        # Not quoted: behind an unescaped / or @ it may be a part of the password.
        raise ConfigFault(
            "its port is no number from 1 to 65535 (in a password write %2F for /, %3A for :, "
            "%40 for @)"
        )


def _read_parameters(query: str) -> dict[str, str]:
    """Read what stands behind the question mark, in words that the driver knows."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigFault("what stands behind its ? is not name=value&name=value") from None
    given: dict[str, str] = {}
    for plain, value in pairs:
        name = _OTHER_NAMES.get(plain, plain)
        if name in given:
            raise ConfigFault(f"the parameter {name} stands in it twice")
        if plain in _DONE_ANYHOW:
            if value.lower() not in _DONE_ANYHOW[plain]:
                can = " or ".join(sorted(_DONE_ANYHOW[plain]))
                raise ConfigFault(f"{plain}={value[:40]} can't be done here: write {can}")
            continue
        if name not in _READ_BY_THE_DRIVER and name != "connect_timeout":
            raise ConfigFault(
                f"the parameter {plain[:40]!r} is not known here: remove it (settings of a session "
                f"are given as options=-c%20name%3Dvalue)"
            )
        given[name] = value
    for port in given.get("port", "5432").split(","):
        _check_port(port)
    for name in sorted(given.keys() & _FILES):
        if not os.access(given[name], os.R_OK) or not Path(given[name]).is_file():
            raise ConfigFault(f"{name} is no file that this user can read: {given[name][:200]!r}")
    mode = given.get("sslmode", "prefer")
    if mode not in _SSL_MODES:
        raise ConfigFault(f"sslmode is {mode[:40]!r}: write one of {', '.join(sorted(_SSL_MODES))}")
    return given


def _timeout_s(text: str | None) -> float:
    if text is None:
        return CONNECT_TIMEOUT_S
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 600):
        raise ConfigFault("connect_timeout is a whole number of seconds from 1 to 600")
    return int(text)
