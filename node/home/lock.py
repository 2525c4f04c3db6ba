"""One owner a home: whoever runs in a folder holds its lock, and a second one is told who that is.

Two processes on one home do harm that nobody sees at once: two devices count one boot, two gateways
share one session, two servers one database. The lock is the kernel's (`flock`), so it ends with its
process, kill -9 included; a copied folder is not locked. Its file says who holds it: for people,
never to decide anything. Whatever keeps a home uses this: nodes, gateways, dairies, databases.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from node.errors import HomeTaken

LOCK_FILE: Final = "owner.lock"
HOLDER_BYTES_MAX: Final = 400


@contextmanager
def owned(home: Path) -> Iterator[None]:
    """Hold a home that is there while the block runs; raise `HomeTaken` if another process does.

    Nothing in the home is touched before the lock is held. `OSError` if the home can't be written.
    """
    # Not inherited: a child that outlives its parent must not keep the home from the next one.
    handle = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HomeTaken(home, _read_holder(handle)) from None
        _write_holder(handle)
        yield
    finally:
        os.close(handle)


def _read_holder(handle: int) -> str:
    told = os.pread(handle, HOLDER_BYTES_MAX, 0).decode("utf-8", errors="replace")
    return " ".join(told.split()) or "another process"


def _write_holder(handle: int) -> None:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    told = f"process {os.getpid()}, since {since}: {command}"
    os.ftruncate(handle, 0)
    os.pwrite(handle, told.encode("utf-8", errors="replace")[:HOLDER_BYTES_MAX], 0)
