"""The gateway's durable memory: one SQLite file, in WAL mode, synced at every commit.

Tables: envelopes (accepted), heads (where each device's chain stands), quarantine (refused),
devices (the chain's registry), runs (with their mint transactions: the outbox), meta.

Invariant: a batch is one transaction. What was committed survives a kill at any point; only then
is it acknowledged to the broker and receipted to the device. An envelope is used by one run.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from iot_minting.gateway.judgement import BootProgress
from iot_minting.gateway.plausibility import Before
from iot_minting.gateway.quarantine import QUARANTINE_SCHEMA, keep_refused
from iot_minting.gateway.types import Quarantined, RegisteredDevice, Stored
from iot_minting.gateway.verdicts import Accepted, RefusedEnvelope, Repeated, Verdict
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.types.evidence import Instrument
from ledger.types.reading import decode_envelope

STORE_NAME: Final = "mint.sqlite"
BUSY_TIMEOUT_S: Final = 10.0

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS devices (
    key BLOB PRIMARY KEY, kind TEXT NOT NULL, plant TEXT NOT NULL, operator BLOB NOT NULL,
    calibrated_until_ms INTEGER NOT NULL, flow_max_l_per_h INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS envelopes (
    place INTEGER PRIMARY KEY AUTOINCREMENT, device BLOB NOT NULL, boot INTEGER NOT NULL,
    seq INTEGER NOT NULL, digest BLOB NOT NULL, raw BLOB NOT NULL, line TEXT NOT NULL,
    arrival_ms INTEGER NOT NULL, use TEXT NOT NULL DEFAULT '',
    UNIQUE (device, boot, seq)) STRICT;
CREATE INDEX IF NOT EXISTS envelopes_unused ON envelopes (place) WHERE use = '';
CREATE INDEX IF NOT EXISTS envelopes_by_use ON envelopes (use) WHERE use <> '';
CREATE TABLE IF NOT EXISTS heads (
    device BLOB NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL, digest BLOB NOT NULL,
    last_ms INTEGER, last_value INTEGER, stream TEXT, unit TEXT,
    PRIMARY KEY (device, boot)) STRICT;
CREATE TABLE IF NOT EXISTS runs (
    run BLOB PRIMARY KEY, plant TEXT NOT NULL, line TEXT NOT NULL, state TEXT NOT NULL,
    units INTEGER NOT NULL, mint BLOB NOT NULL, raw BLOB NOT NULL, txid BLOB NOT NULL,
    valid_until INTEGER NOT NULL, height INTEGER NOT NULL, detail TEXT NOT NULL,
    sealed_ms INTEGER NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """A stored envelope and its place in the order of acceptance."""

    place: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """A line of the quarantine, for people."""

    code: str
    detail: str
    topic: str
    arrival_ms: int
    times: int
    device: PublicKey | None
    boot: int | None
    seq: int | None


class OutboxState(StrEnum):
    """What became of a run that was cut. `CUT` is stored by its older name."""

    CUT = "sealed"
    SUBMITTED = "submitted"
    FINAL = "final"
    FAILED = "failed"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class OutboxRun:
    """A run in the outbox: its lot, and the transaction that mints it, once signed."""

    run: Hash
    plant: str
    line: str
    state: OutboxState
    units: int
    mint: bytes
    raw: bytes
    txid: bytes
    valid_until: int
    height: int
    detail: str
    cut_ms: int


class Store:
    """One connection to the gateway's file. Not shared between threads: open one each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(QUARANTINE_SCHEMA + _SCHEMA)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything inside together, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def record(self, verdicts: Iterable[Verdict]) -> None:
        """Store a batch of verdicts durably: on return it is on the disk."""
        with self.transaction():
            for verdict in verdicts:
                match verdict:
                    case Accepted(stored=stored):
                        self._accept(stored)
                    case RefusedEnvelope(entry=entry, settled=settled, digest=digest):
                        self._refuse(entry, settled=settled, digest=digest)
                    case Repeated(entry=entry):
                        self._refuse(entry, settled=False, digest=None)

    def digest_of(self, device: PublicKey, boot: int, seq: int) -> Hash | None:
        """Give the digest of a settled envelope, used or unusable."""
        found = self._db.execute(
            "SELECT digest FROM envelopes WHERE device = ? AND boot = ? AND seq = ? UNION ALL "
            "SELECT digest FROM quarantine "
            "WHERE settled = 1 AND device = ? AND boot = ? AND seq = ?",
            (device, boot, seq) * 2,
        ).fetchone()
        return None if found is None else Hash(found[0])

    def heads(self) -> list[BootProgress]:
        """List where every device's chain stands."""
        rows = self._db.execute(
            "SELECT device, boot, seq, digest, last_ms, last_value, stream, unit FROM heads"
        )
        return [
            BootProgress(
                PublicKey(device),
                boot,
                seq,
                Hash(digest),
                None if last_ms is None else Before(last_ms, last_value, stream, unit),
            )
            for device, boot, seq, digest, last_ms, last_value, stream, unit in rows
        ]

    def tampered(self) -> list[tuple[PublicKey, int, int]]:
        """List devices that reported tampering, with the first envelope that says so."""
        rows = self._db.execute(
            "SELECT device, boot, seq FROM quarantine WHERE code = 'tampered' AND settled = 1 "
            "GROUP BY device HAVING id = min(id)"
        )
        return [(PublicKey(device), boot, seq) for device, boot, seq in rows]

    def unused(self, after: int, limit: int) -> list[Placed]:
        """List accepted envelopes that no run has used, in order of acceptance."""
        rows = self._db.execute(
            "SELECT e.place, e.raw, e.digest, e.line, e.arrival_ms, "
            "d.key, d.kind, d.plant, d.operator FROM envelopes e JOIN devices d "
            "ON d.key = e.device WHERE e.use = '' AND e.place > ? ORDER BY e.place LIMIT ?",
            (after, limit),
        )
        return [Placed(row[0], _stored(*row[1:])) for row in rows]

    def keep_run(self, run: OutboxRun, pieces: Iterable[Stored]) -> None:
        """Keep a run in the outbox and use its envelopes up, together."""
        with self.transaction() as db:
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                astuple(run),
            )
            self._use(pieces, f"run:{run.run.hex()}")

    def drop(self, pieces: Iterable[Stored], reason: str) -> None:
        """Note that envelopes will never be evidence, and why."""
        with self.transaction():
            self._use(pieces, f"drop:{reason}")

    def _use(self, pieces: Iterable[Stored], use: str) -> None:
        for piece in pieces:
            changed = self._db.execute(
                "UPDATE envelopes SET use = ? "
                "WHERE device = ? AND boot = ? AND seq = ? AND use = ''",
                (use, piece.device, piece.boot, piece.seq),
            ).rowcount
            assert changed == 1, "an envelope is used by one run"

    def update_run(self, run: OutboxRun) -> None:
        """Keep what became of a run, durably."""
        with self.transaction() as db:
            db.execute(
                "UPDATE runs SET state = ?, raw = ?, txid = ?, valid_until = ?, height = ?, "
                "detail = ? WHERE run = ?",
                (
                    run.state,
                    run.raw,
                    run.txid,
                    run.valid_until,
                    run.height,
                    run.detail,
                    run.run,
                ),
            )

    def next_run(self) -> OutboxRun | None:
        """Give the oldest run that is not settled on the chain."""
        row = self._db.execute(
            "SELECT * FROM runs WHERE state IN ('sealed', 'submitted') ORDER BY rowid LIMIT 1"
        ).fetchone()
        return None if row is None else _run(row)

    def runs(self, limit: int) -> list[OutboxRun]:
        """List the latest runs, newest first."""
        rows = self._db.execute("SELECT * FROM runs ORDER BY rowid DESC LIMIT ?", (limit,))
        return [_run(row) for row in rows]

    def run_totals(self) -> dict[str, tuple[int, int]]:
        """Give count and units of runs by state."""
        rows = self._db.execute("SELECT state, count(*), sum(units) FROM runs GROUP BY state")
        return {state: (count, units) for state, count, units in rows}

    def use_counts(self) -> dict[str, int]:
        """Count accepted envelopes by what became of them: a run, a loss, or nothing yet."""
        rows = self._db.execute(
            "SELECT CASE WHEN use LIKE 'run:%' THEN 'run' WHEN use = '' THEN 'undecided' "
            "ELSE use END AS what, count(*) FROM envelopes GROUP BY what"
        )
        return dict(rows.fetchall())

    def quarantine(self, limit: int) -> list[QuarantineLine]:
        """List the latest refused envelopes, newest first."""
        rows = self._db.execute(
            "SELECT code, detail, topic, arrival_ms, times, device, boot, seq "
            "FROM quarantine ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [QuarantineLine(*row) for row in rows]

    def quarantine_counts(self) -> dict[str, int]:
        """Count refused envelopes by code."""
        rows = self._db.execute("SELECT code, sum(times) FROM quarantine GROUP BY code")
        return dict(rows.fetchall())

    def envelope_count(self) -> int:
        """Count accepted envelopes."""
        return int(self._db.execute("SELECT count(*) FROM envelopes").fetchone()[0])

    def devices(self) -> list[RegisteredDevice]:
        """List the registry as last seen."""
        rows = self._db.execute(
            "SELECT key, kind, plant, operator, calibrated_until_ms, flow_max_l_per_h FROM devices"
        )
        return [
            RegisteredDevice(
                PublicKey(key), Instrument(kind), plant, Address(operator), until_ms, flow_max
            )
            for key, kind, plant, operator, until_ms, flow_max in rows
        ]

    def save_registry(self, devices: Iterable[RegisteredDevice], height: int) -> None:
        """Keep newly registered devices and the height they were followed to."""
        with self.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?, ?, ?)",
                [astuple(device) for device in devices],
            )
            self._put_meta("height", height.to_bytes(8, "big"))

    def followed_height(self) -> int | None:
        """Give the height that the registry was followed to; None before genesis."""
        found = self.meta("height")
        return None if found is None else int.from_bytes(found, "big")

    def meta(self, name: str) -> bytes | None:
        """Give a named value."""
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else bytes(found[0])

    def metas(self, prefix: str) -> list[tuple[str, bytes]]:
        """List the named values whose names begin so."""
        rows = self._db.execute(
            "SELECT name, value FROM meta WHERE substr(name, 1, ?) = ?", (len(prefix), prefix)
        )
        return [(name, bytes(value)) for name, value in rows]

    def put_meta(self, name: str, value: bytes) -> None:
        """Set a named value, durably."""
        with self.transaction():
            self._put_meta(name, value)

    def _put_meta(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _accept(self, stored: Stored) -> None:
        self._db.execute(
            "INSERT INTO envelopes (device, boot, seq, digest, raw, line, arrival_ms) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                stored.device,
                stored.boot,
                stored.seq,
                stored.digest,
                encode(stored.envelope),
                stored.line,
                stored.arrival_ms,
            ),
        )
        reading = stored.reading
        self._db.execute(
            "INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stored.device,
                stored.boot,
                stored.seq,
                stored.digest,
                stored.last_ms,
                stored.last_value,
                reading.stream,
                reading.unit,
            ),
        )

    def _refuse(self, entry: Quarantined, *, settled: bool, digest: Hash | None) -> None:
        keep_refused(self._db, entry, settled=settled, digest=digest)
        if settled:
            self._db.execute(
                "INSERT INTO heads (device, boot, seq, digest) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (device, boot) DO UPDATE "
                "SET seq = excluded.seq, digest = excluded.digest",
                (entry.device, entry.boot, entry.seq, digest),
            )


def _run(row: tuple[object, ...]) -> OutboxRun:
    run = OutboxRun(*row)  # type: ignore[arg-type]  # The schema is strict: columns are the fields.
    return replace(run, state=OutboxState(run.state))


def _stored(
    raw: bytes,
    digest: bytes,
    line: str,
    arrival_ms: int,
    key: bytes,
    kind: str,
    plant: str,
    operator: bytes,
) -> Stored:
    envelope = decode_envelope(raw)
    return Stored(
        PublicKey(key),
        Instrument(kind),
        plant,
        line,
        Address(operator),
        envelope,
        envelope.reading(),
        Hash(digest),
        arrival_ms,
    )
