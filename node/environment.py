"""Faults of the machine in one line that says what, where, and how to mend it.

The system says what it refused; whoever reads it wants to know what to do. A fault of our own says
so itself; this is for what the system raises and nobody has put into words.
"""

import errno
import os
import sqlite3
from typing import Final

_RIGHTS: Final = "let this user (uid {uid}) do that (`chown` or `chmod`), or name another place"
_ROOM: Final = "make room on that disk, or name a place on another"
REMEDIES: Final = {
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "name a place that can be written",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.ENOENT: "check its spelling, or make it first",
    errno.ENOTDIR: "name a folder",
    errno.EISDIR: "name a file",
    errno.EADDRINUSE: "stop what listens there, or choose another port",
    errno.EADDRNOTAVAIL: "choose an address of this machine",
    errno.EMFILE: "raise the limit of open files (`ulimit -n`)",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.EAGAIN: "raise the limit of processes (`ulimit -u`, or the container's)",
    errno.ENOMEM: "give it more memory, or close other programs",
    errno.EIO: "look at the disk's health",
}
NO_THREAD: Final = "can't start new thread"


def is_environment(error: BaseException) -> bool:
    """Tell what the machine lacks or refuses from what is a bug of ours."""
    return isinstance(error, OSError | MemoryError | sqlite3.OperationalError) or (
        isinstance(error, RuntimeError) and NO_THREAD in str(error)
    )


def explain_environment(error: BaseException) -> str:
    """Put such an error into one line: the place, what the system says, and the remedy."""
    if isinstance(error, sqlite3.OperationalError):
        return f"a database file can't be used ({error}): {_rights()}, and see that it has room"
    if isinstance(error, MemoryError):
        return f"there is no memory left: {REMEDIES[errno.ENOMEM]}"
    if isinstance(error, RuntimeError):
        return f"{error}: {REMEDIES[errno.EAGAIN]}"
    assert isinstance(error, OSError)
    if error.errno is None or error.strerror is None:
        return " ".join(str(error).split())
    names = [
        os.fsdecode(n) for n in (error.filename, error.filename2) if isinstance(n, str | bytes)
    ]
    where = f"{' -> '.join(names)}: " if names else ""
    remedy = REMEDIES.get(error.errno)
    if "temporary directory" in error.strerror:
        remedy = "name a folder that can be written in TMPDIR"
    if remedy is None:
        return f"{where}{error.strerror}"
    return f"{where}{error.strerror}: {remedy.format(uid=os.geteuid())}"


def _rights() -> str:
    return _RIGHTS.format(uid=os.geteuid())
