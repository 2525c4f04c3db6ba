"""What PostgreSQL and the way to it answer instead of work, told apart by SQLSTATE.

Three kinds: what passes by itself (it starts, it is full, the line broke), what an operator has to
mend (a password, a name, a right), and the rest, which is a bug of ours. A fault is told in one
line, without the driver's background and without a password.
"""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import asyncpg
from sqlalchemy.exc import InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

DATABASE_FAULTS: Final = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""Everything that a statement or a connection may raise."""

_PASSING_CLASSES: Final = ("08", "53", "57", "40")
"""Connection, resources, operator's intervention, rollback: PostgreSQL's appendix A."""

_PLAIN: Final = (
    (ConnectionRefusedError, "the connection is refused: nothing listens there"),
    (socket.gaierror, "nobody knows its host's name"),
    (asyncpg.InternalClientError, "the connection ended in the middle of a statement"),
)
"""What the system, or the driver, says in other words each time."""

STARTING: Final = "57P03"
"""A server that is there and begins, or recovers after a crash, which may take minutes."""

_REMEDIES: Final = {
    "28P01": "check user and password in DATABASE_URL or database_url",
    "28000": "let this user in from this host in pg_hba.conf, or use another user",
    "3D000": "create it with CREATE DATABASE, or name another one in DATABASE_URL",
    "42501": "grant this user CREATE and USAGE on the schema, or use the schema's owner",
    "25006": "point DATABASE_URL to the primary: this server is a read-only standby",
    "42704": "remove the parameter from DATABASE_URL",
    "22023": "correct the parameter in DATABASE_URL",
}


def _chain(fault: BaseException) -> Iterator[BaseException]:
    """Give a fault and those that it stands for."""
    seen: set[int] = set()
    waiting: list[object] = [fault]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [getattr(one, "orig", None), one.__cause__]


def sqlstate_of(fault: BaseException) -> str:
    """Give the five characters that PostgreSQL named a fault by; empty if it said nothing."""
    states = (getattr(one, "sqlstate", None) for one in _chain(fault))
    return next((state for state in states if isinstance(state, str)), "")


def is_passing(fault: BaseException) -> bool:
    """Tell whether trying again later may help."""
    if state := sqlstate_of(fault):
        return state.startswith(_PASSING_CLASSES)
    if _local_remedy(fault):
        return False
    return any(isinstance(one, _PASSING) for one in _chain(fault))


_PASSING: Final = (
    ConnectionError,
    TimeoutError,
    PoolTimeout,
    InterfaceError,
    asyncpg.InterfaceError,
    # What the driver says where a server that shuts down ended the session, before it has seen
    # that (sqlalchemy/sqlalchemy#13241).
    asyncpg.InternalClientError,
    socket.gaierror,
    FileNotFoundError,  # A unix socket that isn't there yet.
)


def is_for_the_operator(fault: BaseException) -> bool:
    """Tell whether a person has to mend it, and not in the code."""
    if state := sqlstate_of(fault):
        return state in _REMEDIES
    return bool(_local_remedy(fault)) or isinstance(fault, OSError)


def _local_remedy(fault: BaseException) -> str:
    """Give what mends a fault that this side of the connection found; empty if time may."""
    for one in _chain(fault):
        if isinstance(one, asyncpg.exceptions.ClientConfigurationError):
            return "correct DATABASE_URL"
        if isinstance(one, ssl.SSLError):
            return "give the server's authority as sslrootcert, or correct sslmode in DATABASE_URL"
        if isinstance(one, ConnectionError) and "SSL" in str(one):
            return "turn TLS on at the server, or write sslmode=disable for a trusted network"
        if isinstance(one, PermissionError):
            return "let this user reach the server's socket"
    return ""


def describe(fault: BaseException) -> str:
    """Tell a fault in one line, with its SQLSTATE and what mends it."""
    innermost = list(_chain(fault))[-1]
    plain = next((text for kind, text in _PLAIN if isinstance(innermost, kind)), "")
    said = plain or re.split(r"\n|\(Background on", str(innermost) or repr(innermost))[0].strip()
    said = re.sub(r"^\(\S+\)\s*|^<class '[^']*'>:\s*", "", said)[:300]
    state = sqlstate_of(fault)
    remedy = _REMEDIES.get(state, "") if state else _local_remedy(fault)
    return said + (f" ({state})" if state else "") + (f": {remedy}" if remedy else "")
