"""A device's disk: every envelope without a receipt, in one SQLite file, synced at every commit.

Invariant: the boot is counted up on disk before its first reading, and only a receipt takes an
envelope away.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

JOURNAL_MAX: Final = 10_000
"""Envelopes without a receipt that a device holds; beyond, it must stop measuring."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS journal (
    boot INTEGER NOT NULL, seq INTEGER NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (boot, seq)) STRICT, WITHOUT ROWID;
"""


class DeviceJournal:
    """A device's disk: its boot count, its last value, and every envelope without a receipt."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(_SCHEMA)
        self.boot = self._count_boot()
        self.value = self._meta("value", 0)
        self.last_ms = self._meta("last_ms", 0)
        self.held = int(self._db.execute("SELECT count(*) FROM journal").fetchone()[0])

    def _meta(self, name: str, default: int) -> int:
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if found is None else int(found[0])

    def _put_meta(self, name: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _count_boot(self) -> int:
        boot = self._meta("boot", -1) + 1
        self._put_meta("boot", boot)
        return boot

    def append(self, entries: Sequence[tuple[int, bytes]], value: int, last_ms: int) -> None:
        """Keep envelopes of this boot, the last value and its time, in one synced commit."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?)", [(self.boot, *entry) for entry in entries]
        )
        self._put_meta("value", value)
        self._put_meta("last_ms", last_ms)
        self._db.execute("COMMIT")
        self.value, self.last_ms, self.held = value, last_ms, self.held + len(entries)

    def oldest_boot(self) -> int:
        """Give the oldest boot of which an envelope is held; the running one if there is none."""
        (oldest,) = self._db.execute("SELECT min(boot) FROM journal").fetchone()
        return self.boot if oldest is None else int(oldest)

    def sendable(self, cursor: tuple[int, int], limit: int) -> list[tuple[int, int, bytes]]:
        """List envelopes after a (boot, seq), in order, of the oldest boot alone."""
        rows = self._db.execute(
            "SELECT boot, seq, raw FROM journal WHERE boot = ? AND (boot, seq) > (?, ?) "
            "ORDER BY seq LIMIT ?",
            (self.oldest_boot(), *cursor, limit),
        )
        return rows.fetchall()

    def waiting(self) -> list[bytes]:
        """List every envelope, in order."""
        rows = self._db.execute("SELECT raw FROM journal ORDER BY boot, seq")
        return [raw for (raw,) in rows]

    def replace(self, boot: int, entries: Sequence[tuple[int, bytes]]) -> None:
        """Take another boot, and hold these envelopes of it in place of all, in one commit."""
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM journal")
        self._db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?)", [(boot, *entry) for entry in entries]
        )
        self._put_meta("boot", boot)
        self._db.execute("COMMIT")
        self.boot, self.held = boot, len(entries)

    def prune(self, boot: int, seq: int) -> int:
        """Forget what a receipt covers; tell how many that was."""
        gone = self._db.execute(
            "DELETE FROM journal WHERE boot = ? AND seq <= ?", (boot, seq)
        ).rowcount
        self.held -= gone
        return gone

    def close(self) -> None:
        """Close the file."""
        self._db.close()
