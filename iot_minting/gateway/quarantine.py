"""The quarantine: refused envelopes with their reasons, in the gateway's file, bounded."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from iot_minting.gateway.types import Quarantined
from ledger.primitives.keys import PublicKey
from ledger.types.reading import ENVELOPE_BYTES_MAX

QUARANTINE_MAX: Final = 20_000
"""Refused envelopes kept; beyond, the oldest go first. They are 130 MB at worst."""
TEXT_CHARS_MAX: Final = 512
"""What is kept of a topic and of a detail; of an envelope, as much as any may have."""

QUARANTINE_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, detail TEXT NOT NULL,
    topic TEXT NOT NULL, raw BLOB NOT NULL, arrival_ms INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1, device BLOB, boot INTEGER, seq INTEGER,
    UNIQUE (code, topic, raw)) STRICT;
"""


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


def keep_refused(db: sqlite3.Connection, entry: Quarantined) -> None:
    """Keep a refused envelope, within the caller's transaction; one that came before is counted."""
    db.execute(
        "INSERT INTO quarantine "
        "(code, detail, topic, raw, arrival_ms, device, boot, seq) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (code, topic, raw) DO UPDATE SET times = times + 1",
        (
            entry.code,
            entry.detail[:TEXT_CHARS_MAX],
            entry.topic[:TEXT_CHARS_MAX],
            entry.raw[:ENVELOPE_BYTES_MAX],
            entry.arrival_ms,
            entry.device,
            entry.boot,
            entry.seq,
        ),
    )
    db.execute(
        "DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ?",
        (QUARANTINE_MAX,),
    )


def latest_refused(db: sqlite3.Connection, limit: int) -> list[QuarantineLine]:
    """List the latest refused envelopes, newest first."""
    rows = db.execute(
        "SELECT code, detail, topic, arrival_ms, times, device, boot, seq "
        "FROM quarantine ORDER BY id DESC LIMIT ?",
        (limit,),
    )
    return [QuarantineLine(*row) for row in rows]


def count_refused(db: sqlite3.Connection) -> dict[str, int]:
    """Count refused envelopes by code."""
    return dict(db.execute("SELECT code, sum(times) FROM quarantine GROUP BY code").fetchall())
