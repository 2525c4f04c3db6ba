"""The tables of an attestor's file, and how it is opened: one layout, synced at every commit."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from iot_minting.errors import Misconfigured

BUSY_TIMEOUT_S: Final = 10.0

LAYOUT: Final = 2
"""The number of the tables' layout, in the file as its `user_version`."""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS claims (
    lot BLOB PRIMARY KEY, line BLOB NOT NULL, mmu BLOB NOT NULL, from_ms INTEGER NOT NULL,
    root BLOB NOT NULL, answer BLOB NOT NULL, until_ms INTEGER NOT NULL, weight INTEGER NOT NULL,
    minted INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX IF NOT EXISTS claims_by_line ON claims (line, minted, from_ms);
CREATE INDEX IF NOT EXISTS claims_by_mmu ON claims (mmu, minted, weight);
CREATE INDEX IF NOT EXISTS claims_by_end ON claims (minted, until_ms);
CREATE INDEX IF NOT EXISTS claims_by_root ON claims (root);
CREATE TABLE IF NOT EXISTS lines (line BLOB PRIMARY KEY, from_ms INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, lot BLOB NOT NULL, mmu BLOB NOT NULL,
    height INTEGER NOT NULL, root BLOB NOT NULL, answer BLOB NOT NULL, until_ms INTEGER NOT NULL,
    weight INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS refusals_by_lot ON refusals (lot, height);
CREATE INDEX IF NOT EXISTS refusals_by_mmu ON refusals (mmu, id);
CREATE INDEX IF NOT EXISTS refusals_by_end ON refusals (until_ms);
CREATE INDEX IF NOT EXISTS refusals_by_root ON refusals (root);
CREATE TABLE IF NOT EXISTS envelopes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, device BLOB NOT NULL, boot INTEGER NOT NULL,
    seq INTEGER NOT NULL, digest BLOB NOT NULL UNIQUE, raw BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS envelopes_by_number ON envelopes (device, boot, seq);
CREATE TABLE IF NOT EXISTS bundles (
    root BLOB NOT NULL, place INTEGER NOT NULL, envelope INTEGER NOT NULL,
    PRIMARY KEY (root, place)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bundles_by_envelope ON bundles (envelope);
CREATE TABLE IF NOT EXISTS tips (
    line BLOB NOT NULL, device BLOB NOT NULL, envelope INTEGER NOT NULL,
    PRIMARY KEY (line, device)) STRICT;
CREATE INDEX IF NOT EXISTS tips_by_envelope ON tips (envelope);
CREATE TABLE IF NOT EXISTS questions (
    name BLOB PRIMARY KEY, body BLOB NOT NULL, asked_ms INTEGER NOT NULL,
    raw BLOB NOT NULL DEFAULT x'', txid BLOB NOT NULL DEFAULT x'',
    valid_until INTEGER NOT NULL DEFAULT 0) STRICT;
"""


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Commit everything inside together, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def open_file(path: Path) -> sqlite3.Connection:
    """Open the file, and make its tables if it is new; raise `Misconfigured` for another layout."""
    db = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        with transaction(db):
            _check_layout(db, path)
        db.executescript(SCHEMA)
    except BaseException:
        db.close()
        raise
    return db


def _check_layout(db: sqlite3.Connection, path: Path) -> None:
    ((found,),) = db.execute("PRAGMA user_version")
    ((tables,),) = db.execute("SELECT count(*) FROM sqlite_schema")
    if tables == 0:
        db.execute(f"PRAGMA user_version = {LAYOUT}")
    elif found != LAYOUT:
        raise Misconfigured(
            f"{path} has layout {found}, this version of BillCoin reads {LAYOUT}: begin with a new "
            "home and key, or keep running the version before while its evidence is needed"
        )
