"""The journal on disk: segment files in HOME/journal, appended and synced, never rewritten.

Invariant: when `sync` returns, every record appended before it is on stable storage, and so is the
name of the file it is in. All records between two syncs form one frame (`consensus.journal`), so a
crash keeps or loses them together. An error of a write or a sync is final: what the disk kept is
then unknown, and the process must end (`JournalFailed`); a retry of fsync would lie.

Segments hold runs of records. One whose records all lie below the floor, by epoch and view, is
deleted whole.

A damaged journal is not repaired: its files are set aside, a new one is begun, and a marker says
until it is taken away that votes may be missing here (spec §2.4). The marker is durable before
anything else happens.

A journal that is not there at all counts as lost, too: a node can't tell a new home from one that
was wiped. So a new key's journal is begun by whoever makes the home (`begin_journal`), and never by
the node.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consensus.errors import CorruptJournal
from consensus.journal import Record, frame, place_of, read
from node.errors import JournalDamaged, JournalExists, JournalFailed

PENDING_BYTES_MAX: Final = 8 * 1024 * 1024
"""Records held for one frame; past it they are synced at once."""
_SUFFIX: Final = ".journal"
_LOST_MARK: Final = "VOTES-MAY-BE-MISSING"
_DAMAGED: Final = "damaged"
_FIRST: Final = 1
"""The number of the first segment."""


Place = tuple[int, int]
"""An epoch and a view in it: views begin anew with each epoch."""
_NOWHERE: Final = (0, 0)


@dataclass(slots=True)
class _Segment:
    """A closed segment, and the highest place of its records."""

    path: Path
    highest: Place


class Journal:
    """An open journal: append, sync, prune. One process at a time, one thread."""

    def __init__(self, folder: Path, segment_bytes_max: int) -> None:
        """Read the journal of a folder; cut a torn tail off.

        It counts as lost, and is begun anew, if there is none or if synced records do not check;
        it stays lost as long as the marker says so. Raise `JournalFailed` if the disk refuses.
        """
        self._folder = folder
        self._segment_bytes_max = segment_bytes_max
        self._closed: list[_Segment] = []
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._highest = _NOWHERE
        self._size = 0
        self.sync_s = 0.0
        """How long the last sync took."""
        self.damage = ""
        """What was wrong with the files that were set aside, if any were."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not any(folder.glob(f"*{_SUFFIX}")):
                self.set_lost(True)
            try:
                self.recovered = tuple(self._recover())
            except JournalDamaged as fault:
                self.damage = str(fault)
                self._set_aside()
                self.recovered = tuple(self._recover())
        except OSError as error:
            raise JournalFailed(f"{folder} can't be opened: {error.strerror}") from error

    @property
    def is_lost(self) -> bool:
        """Tell whether own votes may be missing."""
        return (self._folder / _LOST_MARK).exists()

    def set_lost(self, lost: bool) -> None:
        """Set or take away the marker, durably."""
        mark = self._folder / _LOST_MARK
        if lost:
            mark.touch(mode=0o600)
        else:
            mark.unlink(missing_ok=True)
        _sync_folder(self._folder)

    def _set_aside(self) -> None:
        """Move damaged files out of the way, for people to look at."""
        self.set_lost(True)
        self._closed.clear()
        number = 1 + len(list(self._folder.glob(f"{_DAMAGED}-*")))
        aside = self._folder / f"{_DAMAGED}-{number}"
        aside.mkdir()
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            path.rename(aside / path.name)
        _sync_folder(self._folder)

    def _recover(self) -> list[Record]:
        """Read every segment, oldest first, and open the last one for appending."""
        paths = sorted(self._folder.glob(f"*{_SUFFIX}"))
        records: list[Record] = []
        for path in paths:
            found, clean_bytes = _read_segment(path, is_last=path == paths[-1])
            records += found
            self._highest = max((place_of(record) for record in found), default=_NOWHERE)
            if path == paths[-1]:
                self._reopen(path, clean_bytes)
            else:
                self._closed.append(_Segment(path, self._highest))
        if not paths:
            self._create(_FIRST)
        return records

    def _create(self, number: int) -> None:
        """Start a segment; its name is synced before anything in it counts."""
        self._path, self._file = _create_segment(self._folder, number)
        self._number, self._size, self._highest = number, 0, _NOWHERE

    def _reopen(self, path: Path, clean_bytes: int) -> None:
        """Go on with the last segment, without the tail that a crash tore."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._path, self._number, self._size = path, int(path.stem), clean_bytes
        if os.fstat(self._file).st_size != clean_bytes:
            os.ftruncate(self._file, clean_bytes)
            os.fsync(self._file)

    def append(self, epoch: int, view: int, record: bytes) -> None:
        """Take a record; it is durable after the next `sync`, not before."""
        if self._pending and self._pending_bytes + len(record) > PENDING_BYTES_MAX:
            self.sync()
        self._pending.append(record)
        self._pending_bytes += len(record)
        self._highest = max(self._highest, (epoch, view))

    @property
    def dirty(self) -> bool:
        """Tell whether records wait for a sync."""
        return bool(self._pending)

    def sync(self) -> None:
        """Write what was appended and wait for the disk; raise `JournalFailed` if it refuses."""
        if not self._pending:
            return
        began_s = time.perf_counter()
        data = memoryview(frame(self._pending))
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fdatasync(self._file)
        except OSError as error:
            # A frame behind the torn one would make it look like damage, not like a crash.
            self._pending.clear()
            raise JournalFailed(f"{self._path}: {error.strerror}; restart the node") from error
        self._size += len(data)
        self._pending.clear()
        self._pending_bytes = 0
        self.sync_s = time.perf_counter() - began_s
        if self._size >= self._segment_bytes_max:
            self._rotate()

    def _rotate(self) -> None:
        try:
            os.close(self._file)
            self._closed.append(_Segment(self._path, self._highest))
            self._create(self._number + 1)
        except OSError as error:
            raise JournalFailed(f"{self._folder}: {error.strerror}; restart the node") from error

    def prune(self, epoch: int, view: int) -> None:
        """Delete closed segments, oldest first, whose records all lie below the floor."""
        while self._closed and self._closed[0].highest < (epoch, view):
            # Gone or not after a crash, the records are below the floor: no sync needed.
            self._closed.pop(0).path.unlink(missing_ok=True)

    def close(self) -> None:
        """Sync what is pending and close the file."""
        self.sync()
        os.close(self._file)


def begin_journal(folder: Path) -> None:
    """Begin the journal of a key that has never voted; raise `JournalExists` if anything is there.

    Only whoever has just made the key, or the chain, knows that it has never voted.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise JournalExists(
                f"{folder} is not empty: a journal is never begun over another; if its key has "
                f"surely never voted on this chain, move the folder away and try again"
            )
        os.close(_create_segment(folder, _FIRST)[1])
        _sync_folder(folder.parent)
    except OSError as error:
        raise JournalFailed(f"{folder} can't be begun: {error.strerror}") from error


def _create_segment(folder: Path, number: int) -> tuple[Path, int]:
    path = folder / f"{number:010d}{_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
    file = os.open(path, flags, 0o600)
    _sync_folder(folder)
    return path, file


def _read_segment(path: Path, *, is_last: bool) -> tuple[tuple[Record, ...], int]:
    """Read one segment; only the last one may have been torn by a crash."""
    raw = path.read_bytes()
    try:
        replay = read(raw)
    except CorruptJournal as fault:
        raise JournalDamaged(f"{path}: {fault}") from fault
    if replay.clean_bytes != len(raw) and not is_last:
        raise JournalDamaged(f"{path} ends at byte {replay.clean_bytes} of {len(raw)}")
    return replay.records, replay.clean_bytes


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
