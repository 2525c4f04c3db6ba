"""The archive: every envelope that linked, for as long as a window or a doubt may ask for it.

Nothing is ever used up here. What a window or a collection counts stands on the chain; the archive
gives what follows from there, as often as it is asked.

Invariant: a batch is one transaction, on the disk before it is acknowledged or receipted.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from iot_minting.gateway.database import Database
from iot_minting.gateway.linking import ChainEnd
from iot_minting.gateway.quarantine import (
    QUARANTINE_SCHEMA,
    QuarantineLine,
    count_refused,
    keep_refused,
    latest_refused,
)
from iot_minting.gateway.types import Stored
from iot_minting.gateway.verdicts import Accepted, PutOff, RefusedEnvelope, Repeated, Verdict
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.types.reading import Envelope, decode_envelope

FORGET_MAX: Final = 5_000
"""Envelopes that are forgotten at once: the ingest waits for no longer."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS readings (
    device BLOB NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL,
    raw BLOB NOT NULL, last_ms INTEGER NOT NULL, arrival_ms INTEGER NOT NULL,
    PRIMARY KEY (device, boot, seq)) STRICT;
CREATE INDEX IF NOT EXISTS readings_by_time ON readings (last_ms);
"""


class Archive:
    """One connection to the envelopes in the gateway's file."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, QUARANTINE_SCHEMA + _SCHEMA)
        self._db = self._file.connection

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

    def record(self, verdicts: Iterable[Verdict]) -> None:
        """Store a batch of verdicts durably: on return it is on the disk."""
        with self._file.transaction() as db:
            for verdict in verdicts:
                match verdict:
                    case Accepted(stored=stored):
                        self._keep(stored)
                    case RefusedEnvelope(entry=entry) | Repeated(entry=entry):
                        keep_refused(db, entry)
                    case PutOff():
                        pass

    def size_bytes(self) -> int:
        """Tell how much of the file is in use, by everything in it."""
        return self._file.size_bytes()

    def _keep(self, stored: Stored) -> None:
        self._db.execute(
            "INSERT INTO readings (device, boot, seq, digest, raw, last_ms, arrival_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                stored.device,
                stored.boot,
                stored.seq,
                stored.digest,
                encode(stored.envelope),
                stored.last_ms,
                stored.arrival_ms,
            ),
        )

    def digest_of(self, device: PublicKey, boot: int, seq: int) -> Hash | None:
        """Give the digest of a stored envelope."""
        found = self._db.execute(
            "SELECT digest FROM readings WHERE device = ? AND boot = ? AND seq = ?",
            (device, boot, seq),
        ).fetchone()
        return None if found is None else Hash(found[0])

    def last_seq(self, device: PublicKey, boot: int) -> int:
        """Give the last number that is stored of a boot; -1 if nothing is."""
        (found,) = self._db.execute(
            "SELECT max(seq) FROM readings WHERE device = ? AND boot = ?", (device, boot)
        ).fetchone()
        return -1 if found is None else int(found)

    def ends(self) -> list[ChainEnd]:
        """List where every device's chain ends."""
        devices = self._db.execute("SELECT DISTINCT device FROM readings").fetchall()
        return [self._end(PublicKey(device)) for (device,) in devices]

    def _end(self, device: PublicKey) -> ChainEnd:
        boot, seq, digest = self._db.execute(
            "SELECT boot, seq, digest FROM readings WHERE device = ? "
            "ORDER BY boot DESC, seq DESC LIMIT 1",
            (device,),
        ).fetchone()
        return ChainEnd(device, boot, seq, Hash(digest))

    def after(
        self, device: PublicKey, number: tuple[int, int], limit: int, since_ms: int = 0
    ) -> list[tuple[Envelope, int]]:
        """List a device's envelopes after a (boot, number), in order, with their arrivals.

        Those that ended before a time are left out.
        """
        rows = self._db.execute(
            "SELECT raw, arrival_ms FROM readings WHERE device = ? AND (boot, seq) > (?, ?) "
            "AND last_ms >= ? ORDER BY boot, seq LIMIT ?",
            (device, *number, since_ms, limit),
        )
        return [(decode_envelope(raw), arrival_ms) for raw, arrival_ms in rows]

    def before(self, device: PublicKey, number: tuple[int, int]) -> Envelope | None:
        """Give a device's last envelope before a (boot, number)."""
        found = self._db.execute(
            "SELECT raw FROM readings WHERE device = ? AND (boot, seq) < (?, ?) "
            "ORDER BY boot DESC, seq DESC LIMIT 1",
            (device, *number),
        ).fetchone()
        return None if found is None else decode_envelope(found[0])

    def forget(self, device: PublicKey, number: tuple[int, int], before_ms: int) -> int:
        """Forget a device's envelopes before a (boot, number) that ended before a time.

        The last one stays: the device's chain goes on from it. Gives how many are gone.
        """
        with self._file.transaction() as db:
            return db.execute(
                "DELETE FROM readings WHERE (device, boot, seq) IN (SELECT device, boot, seq "
                "FROM readings WHERE device = ? AND (boot, seq) < (?, ?) AND last_ms < ? LIMIT ?)",
                (device, *number, before_ms, FORGET_MAX),
            ).rowcount

    def last_arrival_ms(self, device: PublicKey) -> int:
        """Tell when a device's last envelope came; 0 if none did."""
        found = self._db.execute(
            "SELECT arrival_ms FROM readings WHERE device = ? ORDER BY boot DESC, seq DESC LIMIT 1",
            (device,),
        ).fetchone()
        return 0 if found is None else int(found[0])

    def refused(self, limit: int) -> list[QuarantineLine]:
        """List the latest envelopes that were refused, newest first."""
        return latest_refused(self._db, limit)

    def refused_counts(self) -> dict[str, int]:
        """Count refused envelopes by code."""
        return count_refused(self._db)

    def envelope_count(self) -> int:
        """Count stored envelopes."""
        return int(self._db.execute("SELECT count(*) FROM readings").fetchone()[0])
