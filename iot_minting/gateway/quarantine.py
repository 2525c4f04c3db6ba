"""The quarantine: refused envelopes with their reasons, in the gateway's file, bounded."""

import sqlite3
from typing import Final

from iot_minting.gateway.types import Quarantined
from ledger.primitives.hashing import Hash

QUARANTINE_MAX: Final = 100_000
"""Refused envelopes kept; beyond, the oldest that nothing depends on go first."""

QUARANTINE_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT NOT NULL, detail TEXT NOT NULL,
    topic TEXT NOT NULL, raw BLOB NOT NULL, arrival_ms INTEGER NOT NULL,
    times INTEGER NOT NULL DEFAULT 1, device BLOB, boot INTEGER, seq INTEGER,
    settled INTEGER NOT NULL, digest BLOB, UNIQUE (code, topic, raw)) STRICT;
"""


def keep_refused(
    db: sqlite3.Connection, entry: Quarantined, *, settled: bool, digest: Hash | None
) -> None:
    """Keep a refused envelope, within the caller's transaction; one that came before is counted."""
    db.execute(
        "INSERT INTO quarantine "
        "(code, detail, topic, raw, arrival_ms, device, boot, seq, settled, digest) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (code, topic, raw) DO UPDATE SET times = times + 1",
        (
            entry.code,
            entry.detail,
            entry.topic,
            entry.raw,
            entry.arrival_ms,
            entry.device,
            entry.boot,
            entry.seq,
            int(settled),
            digest,
        ),
    )
    if not settled:
        db.execute(
            "DELETE FROM quarantine WHERE settled = 0 AND id <= "
            "(SELECT max(id) FROM quarantine) - ?",
            (QUARANTINE_MAX,),
        )
