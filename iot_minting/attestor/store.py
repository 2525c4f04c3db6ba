"""What an attestor keeps: its answers, and the evidence behind them, in one SQLite file.

Tables: claims (what was signed for), refusals, envelopes (each once), bundles (which envelopes
stand under a claim's root, in order), meta.

Invariants: an answer is durable before anybody hears it, its evidence in the same transaction. An
envelope goes when no bundle names it any more. Of one number of a device several may be kept: two
different ones are evidence against the device.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from iot_minting.errors import Misconfigured
from iot_minting.wire.windows import WindowRefusal
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.types.reading import Envelope
from ledger.types.window import WindowAttestation, WindowClaim

STORE_NAME: Final = "attestor.sqlite"
BUSY_TIMEOUT_S: Final = 10.0
PAGE: Final = 256
"""Envelopes that are read at once, when a bundle is sent."""
ROW_BYTES_MAX: Final = 64 * 1024
REFUSALS_KEPT_MAX: Final = 1_024
"""The newest refusals are kept: whoever may ask can have any claim refused, as often as it likes,
and each may be over other envelopes."""
CHAIN_META: Final = "chain_id"

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS claims (
    lot BLOB PRIMARY KEY, line BLOB NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
    root BLOB NOT NULL, answer BLOB NOT NULL, kept_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS claims_by_line ON claims (line, from_ms);
CREATE INDEX IF NOT EXISTS claims_by_end ON claims (until_ms);
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, lot BLOB NOT NULL, height INTEGER NOT NULL,
    root BLOB NOT NULL, answer BLOB NOT NULL, until_ms INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS refusals_by_lot ON refusals (lot, height);
CREATE INDEX IF NOT EXISTS refusals_by_end ON refusals (until_ms);
CREATE TABLE IF NOT EXISTS envelopes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, device BLOB NOT NULL, boot INTEGER NOT NULL,
    seq INTEGER NOT NULL, digest BLOB NOT NULL UNIQUE, raw BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS envelopes_by_number ON envelopes (device, boot, seq);
CREATE TABLE IF NOT EXISTS bundles (
    root BLOB NOT NULL, place INTEGER NOT NULL, envelope INTEGER NOT NULL,
    PRIMARY KEY (root, place)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bundles_by_envelope ON bundles (envelope);
"""

Numbered = tuple[PublicKey, int, int, Envelope]
"""An envelope with its device, boot and seq."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A claim that was judged by blocks up to a height, and its answer.

    `evidence` is what is kept behind it: none for envelopes that no device signed. At `until_ms` it
    is looked at whether that is needed any longer.
    """

    claim: WindowClaim
    answer: WindowAttestation | WindowRefusal
    evidence: Sequence[Numbered]
    kept_ms: int
    until_ms: int


class AttestorStore:
    """Two connections to the file. One writes, in one thread at a time; the other reads, in any.

    What is read is durable.
    """

    def __init__(self, path: Path) -> None:
        self._db = _connect(path, _SCHEMA)
        self._reader = _connect(path)

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything inside together, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def bind_chain(self, chain_id: Hash) -> None:
        """Hold the home to one chain; raise `Misconfigured` if it served another one."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (CHAIN_META, chain_id))
            (found,) = db.execute("SELECT value FROM meta WHERE name = ?", (CHAIN_META,)).fetchone()
        if found != chain_id:
            raise Misconfigured(
                f"this home has attested for chain {bytes(found).hex()}, the nodes are of chain "
                f"{chain_id.hex()}: use a home of its own for each chain"
            )

    def keep(self, judged: KeptAnswer) -> None:
        """Keep an answer and its evidence, durably."""
        claim, answer = judged.claim, judged.answer
        lot, root, raw = claim.lot_id(), claim.readings_root, encode(answer)
        times = (judged.kept_ms, judged.until_ms)
        with self._transaction() as db:
            if isinstance(answer, WindowAttestation):
                db.execute(
                    "INSERT INTO claims "
                    "(lot, line, from_ms, to_ms, root, answer, kept_ms, until_ms) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (lot, claim.line, claim.from_ms, claim.to_ms, root, raw, *times),
                )
            else:
                written = db.execute(
                    "INSERT INTO refusals (lot, height, root, answer, until_ms) "
                    "VALUES (?, ?, ?, ?, ?)",
                    (lot, answer.height, root, raw, judged.until_ms),
                )
                oldest = (written.lastrowid or 0) - REFUSALS_KEPT_MAX
                db.execute("DELETE FROM refusals WHERE id <= ?", (oldest,))
            if not self._has_bundle(root):
                self._keep_bundle(root, judged.evidence)

    def _has_bundle(self, root: Hash) -> bool:
        found = self._db.execute("SELECT 1 FROM bundles WHERE root = ? LIMIT 1", (root,))
        return found.fetchone() is not None

    def _keep_bundle(self, root: Hash, evidence: Sequence[Numbered]) -> None:
        digests = [envelope.digest() for *_, envelope in evidence]
        self._db.executemany(
            "INSERT OR IGNORE INTO envelopes (device, boot, seq, digest, raw) "
            "VALUES (?, ?, ?, ?, ?)",
            (
                (device, boot, seq, digest, encode(envelope))
                for (device, boot, seq, envelope), digest in zip(evidence, digests, strict=True)
            ),
        )
        self._db.executemany(
            "INSERT INTO bundles (root, place, envelope) "
            "SELECT ?, ?, id FROM envelopes WHERE digest = ?",
            ((root, place, digest) for place, digest in enumerate(digests)),
        )

    def attestation(self, lot: Hash) -> WindowAttestation | None:
        """Give what was signed for a lot."""
        raw = self._one("SELECT answer FROM claims WHERE lot = ?", lot)
        return None if raw is None else decode(raw, WindowAttestation, ROW_BYTES_MAX)

    def refusal(self, lot: Hash, height: int) -> WindowRefusal | None:
        """Give the latest refusal of a lot, if it was judged by blocks up to a height or more."""
        raw = self._one(
            "SELECT answer FROM refusals WHERE lot = ? AND height >= ? ORDER BY id DESC LIMIT 1",
            lot,
            height,
        )
        return None if raw is None else decode(raw, WindowRefusal, ROW_BYTES_MAX)

    def refusals(self, before: int, limit: int) -> list[tuple[int, WindowRefusal]]:
        """List refusals with their numbers below one, newest first."""
        rows = self._reader.execute(
            "SELECT id, answer FROM refusals WHERE id < ? ORDER BY id DESC LIMIT ?",
            (before, limit),
        )
        return [(number, decode(raw, WindowRefusal, ROW_BYTES_MAX)) for number, raw in rows]

    def latest_from_ms(self, line: Hash) -> int:
        """Give the latest time from which a window of the line was signed; 0 if none was."""
        found = self._one("SELECT max(from_ms) FROM claims WHERE line = ?", line)
        return found or 0

    def numbered(self, device: PublicKey, boot: int, seq: int) -> list[Envelope]:
        """List the envelopes of one number: several only if the device signed several."""
        rows = self._reader.execute(
            "SELECT raw FROM envelopes WHERE device = ? AND boot = ? AND seq = ? ORDER BY id",
            (device, boot, seq),
        )
        return [decode(raw, Envelope, ROW_BYTES_MAX) for (raw,) in rows]

    def bundle_count(self, root: Hash) -> int:
        """Count the envelopes that are kept under a claim's root."""
        return int(self._one("SELECT count(*) FROM bundles WHERE root = ?", root) or 0)

    def bundle_page(self, root: Hash, start: int) -> list[bytes]:
        """Give the encoded envelopes under a root from a place on, a page of them."""
        rows = self._reader.execute(
            "SELECT e.raw FROM bundles b JOIN envelopes e ON e.id = b.envelope "
            "WHERE b.root = ? AND b.place >= ? ORDER BY b.place LIMIT ?",
            (root, start, PAGE),
        )
        return [raw for (raw,) in rows]

    def due(self, now_ms: int, limit: int) -> list[tuple[Hash, int]]:
        """List lots whose evidence is perhaps not needed any longer, and since when it is kept."""
        rows = self._reader.execute(
            "SELECT lot, kept_ms FROM claims WHERE until_ms <= ? ORDER BY until_ms LIMIT ?",
            (now_ms, limit),
        )
        return [(Hash(lot), kept_ms) for lot, kept_ms in rows]

    def postpone(self, lot: Hash, until_ms: int) -> None:
        """Keep the evidence of a lot until a later time."""
        with self._transaction() as db:
            db.execute("UPDATE claims SET until_ms = ? WHERE lot = ?", (until_ms, lot))

    def forget(self, lots: Iterable[Hash], now_ms: int) -> None:
        """Forget lots, refusals whose time is over, and the evidence that nothing needs then."""
        with self._transaction() as db:
            db.executemany("DELETE FROM claims WHERE lot = ?", ((lot,) for lot in lots))
            db.execute("DELETE FROM refusals WHERE until_ms <= ?", (now_ms,))
            db.execute(
                "DELETE FROM bundles WHERE root NOT IN "
                "(SELECT root FROM claims UNION SELECT root FROM refusals)"
            )
            db.execute("DELETE FROM envelopes WHERE id NOT IN (SELECT envelope FROM bundles)")

    def size_bytes(self) -> int:
        """Tell how much of the file is in use."""
        pages = self._pragma("page_count") - self._pragma("freelist_count")
        return pages * self._pragma("page_size")

    def counts(self) -> dict[str, int]:
        """Count what is kept."""
        return {
            name: int(self._one(f"SELECT count(*) FROM {name}"))  # noqa: S608 - our own names
            for name in ("claims", "refusals", "envelopes")
        }

    def _pragma(self, name: str) -> int:
        return int(self._one(f"PRAGMA {name}"))

    def _one(self, query: str, *values: object) -> Any:
        row = self._reader.execute(query, values).fetchone()
        return None if row is None else row[0]


def _connect(path: Path, schema: str = "") -> sqlite3.Connection:
    db = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(schema)
    except BaseException:
        db.close()
        raise
    return db
