"""Where all workers count: a folder in memory, one file a worker and kind of counter.

What a worker counted stays when it ends, however it ends, so sums never fall; what it showed (a
gauge) goes with it. Files are named by the worker's number, which is used again, so a service that
renews its workers each day for years has no more files than one that never did.

The folder lies in memory where the machine has a place for that: a file that is mapped, on a disk
that is full, would kill whoever counts.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import values
from prometheus_client.multiprocess import mark_process_dead

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the folder itself is private, and drawn by chance
PREFIX: Final = "billcoin-api-"
NOTE_FILE: Final = "counts.path"
"""In the home: where the folder is, so that one left behind by a kill is found and removed."""


@contextmanager
def shared_counts(home: Path) -> Iterator[Path]:
    """Lend the folder to whoever holds the home; remove it after."""
    note = home / NOTE_FILE
    _remove_left(note)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=MEMORY if MEMORY.is_dir() else None))
    try:
        note.write_text(str(folder), "utf-8", "surrogateescape")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        note.unlink(missing_ok=True)


def _remove_left(note: Path) -> None:
    try:
        left = Path(note.read_text("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        return
    if left.name.startswith(PREFIX):
        shutil.rmtree(left, ignore_errors=True)


def count_as(number: int) -> None:
    """Let this process count under its worker's number. Before the first counter is made."""
    values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]


def forget_gauges(folder: Path, number: int) -> None:
    """Forget what a worker that is gone showed; what it counted stays."""
    mark_process_dead(number, str(folder))  # type: ignore[no-untyped-call]
