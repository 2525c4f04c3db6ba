"""A fake disk: what a crash may take is exactly what was not synced.

The journal is written as the real one is: records between two syncs form one frame, segments are
closed at a size and deleted whole below the floor. A crash in the middle of a write keeps a
prefix of the frame, or a random part of its sectors, or nothing. The store commits in one synced
batch: a crash keeps the batch or loses it, never half. A copy of everything can be taken and put
back: a stale disk.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from consensus.errors import CorruptJournal
from consensus.journal import Record, frame, read
from ledger.store import MemoryStore
from ledger.store.schema import Cell

SEGMENT_BYTES: Final = 48 * 1024
SECTOR_BYTES: Final = 64
"""Smaller than any real sector: more ways to tear a frame."""


class SyncFailed(Exception):
    """The disk refused a sync: what it kept is unknown, and the process must end."""


class CellStore(MemoryStore):
    """The product's store over cells that outlive the process."""

    def __init__(self, cells: dict[bytes, bytes]) -> None:
        self._cells = cells
        super(MemoryStore, self).__init__("disk")

    def _write(self, cells: Iterable[Cell]) -> None:
        for name, value in cells:
            if value is None:
                self._cells.pop(name, None)
            else:
                self._cells[name] = value


@dataclass(slots=True)
class Segment:
    """Some frames of the journal, and the highest view in them."""

    raw: bytes = b""
    view_max: int = 0


@dataclass(slots=True)
class Disk:
    """One machine's journal and store."""

    chance: Random
    cells: dict[bytes, bytes]
    segments: list[Segment] = field(default_factory=lambda: [Segment()])
    pending: list[tuple[int, bytes]] = field(default_factory=list)
    """Records appended since the last sync, with their views."""
    fails_next: bool = False
    """The next sync is refused."""
    journal_lost: bool = False
    _copy: tuple[dict[bytes, bytes], list[Segment]] | None = None

    def append(self, view: int, record: bytes) -> None:
        """Take a record; it is durable after the next sync."""
        self.pending.append((view, record))

    def sync(self) -> list[bytes]:
        """Make what was appended durable, and give it; raise `SyncFailed`."""
        if not self.pending:
            return []
        if self.fails_next:
            self.fails_next = False
            raise SyncFailed
        records = [record for _, record in self.pending]
        last = self._write(frame(records))
        if len(last.raw) >= SEGMENT_BYTES:
            self.segments.append(Segment())
        return records

    def _write(self, raw: bytes) -> Segment:
        last = self.segments[-1]
        last.raw += raw
        last.view_max = max([last.view_max, *[view for view, _ in self.pending]])
        self.pending.clear()
        return last

    def crash(self) -> None:
        """Lose what was not synced, or tear it."""
        if self.pending:
            self._write(self._torn(frame([record for _, record in self.pending])))

    def _torn(self, raw: bytes) -> bytes:
        """Choose what a crash leaves of a frame: nothing, all, a prefix, or some sectors."""
        fate = self.chance.randrange(4)
        if fate == 0:
            return b""
        if fate == 1:
            return raw
        if fate == 2:
            return raw[: self.chance.randrange(len(raw))]
        sectors = [raw[at : at + SECTOR_BYTES] for at in range(0, len(raw), SECTOR_BYTES)]
        return b"".join(s if self.chance.random() < 0.5 else bytes(len(s)) for s in sectors)

    def recover(self) -> list[Record]:
        """Read the journal as the node does at start: cut the torn tail, raise for a hole."""
        records: list[Record] = []
        for index, segment in enumerate(self.segments):
            replay = read(segment.raw)
            if replay.clean_bytes != len(segment.raw):
                if index + 1 < len(self.segments):
                    raise CorruptJournal(replay.clean_bytes, "a later segment was begun")
                segment.raw = segment.raw[: replay.clean_bytes]
            records += replay.records
        return records

    def prune(self, floor_view: int) -> None:
        """Delete closed segments whose records all lie below the floor."""
        while len(self.segments) > 1 and self.segments[0].view_max < floor_view:
            del self.segments[0]

    def open_store(self) -> CellStore:
        """Open the store over the cells."""
        return CellStore(self.cells)

    def lose_journal(self) -> None:
        """Forget the journal, as when its disk was replaced; the store is still here."""
        self.segments = [Segment()]
        self.pending.clear()
        self.journal_lost = True

    def copy(self) -> None:
        """Take a backup."""
        segments = [Segment(segment.raw, segment.view_max) for segment in self.segments]
        self._copy = (dict(self.cells), segments)

    def restore(self) -> bool:
        """Put the backup in the disk's place, if there is one: what came after it never was."""
        if self._copy is None:
            return False
        self.pending.clear()
        self.cells, segments = dict(self._copy[0]), self._copy[1]
        self.segments = [Segment(segment.raw, segment.view_max) for segment in segments]
        return True
