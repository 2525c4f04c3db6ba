"""A device's disk: every envelope without a receipt, in one SQLite file, synced at every commit.

Invariant: the boot is counted up on disk before its first reading, and only a receipt takes an
envelope away. Where the chain ends stays, across boots and after the receipt.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from iot_minting.device.signer import NO_CHAIN, LastSigned, SignedReading
from iot_minting.wire.receipts import SettledEnvelope
from ledger.primitives.hashing import Hash
from ledger.types.reading import decode_envelope

JOURNAL_MAX: Final = 10_000
"""Envelopes without a receipt that a device holds; beyond, it must stop measuring.

An idle device fills it in a week; its 72 hours are 4,320. A busy one fills it sooner.
"""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS chain_end (
    place INTEGER PRIMARY KEY CHECK (place = 0), digest BLOB NOT NULL, last_ms INTEGER NOT NULL,
    value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS settled (
    place INTEGER PRIMARY KEY CHECK (place = 0), boot INTEGER NOT NULL, seq INTEGER NOT NULL,
    digest BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS journal (
    boot INTEGER NOT NULL, seq INTEGER NOT NULL, raw BLOB NOT NULL,
    PRIMARY KEY (boot, seq)) STRICT, WITHOUT ROWID;
"""


class DeviceJournal:
    """A device's disk: its boot count, its chain's end, and every envelope without a receipt."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
            self.boot = self._count_boot()
            self.end = self._read_end()
            self.settled = self._read_settled()
            self.held = int(self._db.execute("SELECT count(*) FROM journal").fetchone()[0])
        except BaseException:
            self._db.close()
            raise

    def _count_boot(self) -> int:
        found = self._db.execute("SELECT value FROM meta WHERE name = 'boot'").fetchone()
        boot = 0 if found is None else int(found[0]) + 1
        self._put_boot(boot)
        return boot

    def _put_boot(self, boot: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES ('boot', ?)", (boot,))

    def _read_end(self) -> LastSigned:
        row = self._db.execute("SELECT digest, last_ms, value FROM chain_end").fetchone()
        return NO_CHAIN if row is None else LastSigned(Hash(row[0]), *row[1:])

    def _read_settled(self) -> SettledEnvelope | None:
        row = self._db.execute("SELECT boot, seq, digest FROM settled").fetchone()
        return None if row is None else SettledEnvelope(row[0], row[1], Hash(row[2]))

    def append(self, signed: Sequence[SignedReading]) -> None:
        """Keep envelopes of this boot, and where the chain ends with them, in one synced commit."""
        self._db.execute("BEGIN")
        self._insert(self.boot, signed)
        self._put_end(signed[-1].end)
        self._db.execute("COMMIT")
        self.end, self.held = signed[-1].end, self.held + len(signed)

    def _insert(self, boot: int, signed: Sequence[SignedReading]) -> None:
        self._db.executemany(
            "INSERT INTO journal VALUES (?, ?, ?)", [(boot, each.seq, each.raw) for each in signed]
        )

    def _put_end(self, end: LastSigned) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO chain_end VALUES (0, ?, ?, ?)",
            (end.digest, end.last_ms, end.value),
        )

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

    def holds(self, settled: SettledEnvelope) -> bool:
        """Tell whether the envelope of that number and digest waits here."""
        found = self._db.execute(
            "SELECT raw FROM journal WHERE boot = ? AND seq = ?", (settled.boot, settled.seq)
        ).fetchone()
        return found is not None and decode_envelope(found[0]).digest() == settled.digest

    def begin_anew(
        self, boot: int, signed: Sequence[SignedReading], above: SettledEnvelope
    ) -> None:
        """Take a boot above what another used, with these envelopes in place of all that waited.

        In one commit. Where nothing waited, the next envelope begins the chain; what the
        instrument shows stays.
        """
        end = signed[-1].end if signed else self.end.cut()
        self._db.execute("BEGIN")
        self._db.execute("DELETE FROM journal")
        self._insert(boot, signed)
        self._put_end(end)
        self._put_boot(boot)
        self._settle(above)
        self._db.execute("COMMIT")
        self.boot, self.end, self.held = boot, end, len(signed)

    def prune(self, settled: SettledEnvelope) -> int:
        """Forget what a receipt for an own envelope covers; tell how many that was."""
        self._db.execute("BEGIN")
        gone = self._db.execute(
            "DELETE FROM journal WHERE (boot, seq) <= (?, ?)", (settled.boot, settled.seq)
        ).rowcount
        self._settle(settled)
        self._db.execute("COMMIT")
        self.held -= gone
        return gone

    def _settle(self, settled: SettledEnvelope) -> None:
        self.settled = settled
        self._db.execute(
            "INSERT OR REPLACE INTO settled VALUES (0, ?, ?, ?)",
            (settled.boot, settled.seq, settled.digest),
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()
