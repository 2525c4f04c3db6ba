"""What a signer has signed, in one SQLite file: durable before anybody hears of it.

Tables: accounts (from which height each may sign, whether it was stopped), entries (every
transaction that an account ever sent: those signed here with their request, and what the chain
shows of others), meta (the chain).

Invariants: one request of an account has one entry for ever; a request's entry is on disk before
its bytes leave the process. Entries are never deleted: they are the account's book.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.signing.process.errors import BadJournal
from api.signing.process.nonces import EntryState
from api.signing.process.rules import Spent
from api.signing.wire import SigningKind
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address

JOURNAL_FILE: Final = "journal.sqlite"
BUSY_TIMEOUT_S: Final = 10.0
FOREIGN: Final = ""
"""The kind of what was not signed here: it counts against the limits of every kind."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS accounts (
    address BLOB PRIMARY KEY, ready_height INTEGER NOT NULL, stopped INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY, account BLOB NOT NULL, request_id TEXT, fingerprint BLOB NOT NULL,
    kind TEXT NOT NULL, reference BLOB NOT NULL, payee BLOB NOT NULL, units INTEGER NOT NULL,
    nonce INTEGER NOT NULL, txid BLOB NOT NULL UNIQUE, raw BLOB NOT NULL,
    valid_until_height INTEGER NOT NULL, signed_ms INTEGER NOT NULL, state TEXT NOT NULL,
    handed INTEGER NOT NULL, UNIQUE (account, request_id)) STRICT;
CREATE INDEX IF NOT EXISTS entries_by_reference ON entries (account, reference);
CREATE INDEX IF NOT EXISTS entries_by_time ON entries (account, signed_ms);
CREATE INDEX IF NOT EXISTS entries_by_state ON entries (account, state);
"""
_COUNTS: Final = (EntryState.LIVE, EntryState.DONE)
"""States in which an entry's units count as given."""
_ABROAD: Final = (EntryState.LIVE, EntryState.DONE, EntryState.FAILED)
"""States in which an entry's bytes are of use to whoever asked for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One transaction of an account; without a request if it was not signed here."""

    request_id: str | None
    fingerprint: bytes
    kind: str
    reference: bytes
    payee: Address
    units: int
    nonce: int
    txid: Hash
    raw: bytes
    valid_until_height: int
    signed_ms: int
    """By the chain's clock, as the signer knew it."""
    state: EntryState = EntryState.LIVE
    handed: bool = False
    """Whether the payments service has said that it has the bytes, or that it wants none."""


@dataclass(frozen=True, slots=True)
class AccountMark:
    """From which height an account may sign, and whether it was stopped."""

    ready_height: int
    stopped: bool


_FIELDS: Final = tuple(JournalEntry.__dataclass_fields__)
_COLUMNS: Final = ", ".join(_FIELDS)


class SigningJournal:
    """The file of one home; opened by one process at a time."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = _connect(path)
        except sqlite3.DatabaseError as error:
            raise BadJournal(f"{path} can't be used: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def bind_chain(self, chain_id: Hash) -> None:
        """Hold the journal to one chain; raise `BadJournal` if it was of another."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('chain_id', ?)", (chain_id,))
            found = db.execute("SELECT value FROM meta WHERE name = 'chain_id'").fetchone()[0]
        if found != chain_id:
            raise BadJournal(
                f"this home has signed for chain {bytes(found).hex()}, the nodes are of chain "
                f"{chain_id.hex()}: use a home of its own for each chain"
            )

    def mark(self, account: Address) -> AccountMark | None:
        """Give what is known of an account; None if the journal never heard of it."""
        row = self._db.execute(
            "SELECT ready_height, stopped FROM accounts WHERE address = ?", (account,)
        ).fetchone()
        return None if row is None else AccountMark(row[0], bool(row[1]))

    def set_mark(self, account: Address, mark: AccountMark) -> None:
        """Say from which height an account may sign, and whether it is stopped."""
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO accounts VALUES (?, ?, ?)",
                (account, mark.ready_height, int(mark.stopped)),
            )

    def forget_mark(self, account: Address) -> None:
        """Forget that an account was stopped: it waits as one whose journal is new."""
        with self._transaction() as db:
            db.execute("DELETE FROM accounts WHERE address = ?", (account,))

    def keep(self, account: Address, entries: Iterable[JournalEntry]) -> None:
        """Keep entries, all or none, durably; raise `BadJournal`, keeping none."""
        places = ", ".join("?" * (len(_FIELDS) + 1))
        with self._transaction() as db:
            db.executemany(
                f"INSERT INTO entries (account, {_COLUMNS}) VALUES ({places})",  # noqa: S608
                [(account, *_values(entry)) for entry in entries],
            )

    def find(self, account: Address, request_id: str) -> JournalEntry | None:
        """Give what was signed for a request."""
        found = self._entries("request_id = ?", account, request_id)
        return found[0] if found else None

    def knows(self, account: Address, txid: bytes) -> bool:
        """Tell whether a transaction stands in the book."""
        return bool(self._entries("txid = ?", account, txid))

    def live(self, account: Address) -> list[JournalEntry]:
        """List what may take effect yet, by number."""
        return self._entries("state = ?", account, EntryState.LIVE)

    def unhanded(self, account: Address) -> list[JournalEntry]:
        """List what was signed, never handed over, and may take effect, by number."""
        return self._entries("handed = 0 AND state IN (?, ?, ?)", account, *_ABROAD)

    def used_count(self, account: Address) -> int:
        """Count the transactions of an account that the chain has taken."""
        row = self._db.execute(
            "SELECT count(*) FROM entries WHERE account = ? AND state IN (?, ?)",
            (account, EntryState.DONE, EntryState.FAILED),
        ).fetchone()
        return int(row[0])

    def newest_ms(self, account: Address) -> int:
        """Give when the last entry was signed; 0 before the first."""
        row = self._db.execute(
            "SELECT coalesce(max(signed_ms), 0) FROM entries WHERE account = ?", (account,)
        ).fetchone()
        return int(row[0])

    def note_handed(self, account: Address, request_id: str) -> None:
        """Note that the service has the bytes of a request."""
        with self._transaction() as db:
            db.execute(
                "UPDATE entries SET handed = 1 WHERE account = ? AND request_id = ?",
                (account, request_id),
            )

    def note_fates(self, fates: Iterable[tuple[bytes, EntryState]]) -> None:
        """Note what became of transactions."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE entries SET state = ? WHERE txid = ? AND state = 'live'",
                [(state, txid) for txid, state in fates],
            )

    def given_units(self, account: Address, reference: bytes) -> int:
        """Sum up what was paid under a reference, and may have taken effect or still may."""
        row = self._db.execute(
            "SELECT coalesce(sum(units), 0) FROM entries "
            "WHERE account = ? AND reference = ? AND state IN (?, ?)",
            (account, reference, *_COUNTS),
        ).fetchone()
        return int(row[0])

    def spent(
        self, account: Address, since_ms: int, kind: SigningKind | None, to: Address | None
    ) -> Spent:
        """Sum up what was signed after a time: units that count, and signatures of any fate."""
        row = self._db.execute(
            "SELECT coalesce(sum(units) FILTER (WHERE state IN (:live, :done)), 0), count(*) "
            "FROM entries WHERE account = :account AND signed_ms > :since "
            "AND (:kind IS NULL OR kind IN (:kind, '')) AND (:payee IS NULL OR payee = :payee)",
            {
                "live": EntryState.LIVE,
                "done": EntryState.DONE,
                "account": account,
                "since": since_ms,
                "kind": kind,
                "payee": to,
            },
        ).fetchone()
        return Spent(int(row[0]), int(row[1]))

    def _entries(self, where: str, account: Address, *values: object) -> list[JournalEntry]:
        query = f"SELECT {_COLUMNS} FROM entries WHERE account = ? AND {where}"  # noqa: S608
        rows = self._db.execute(f"{query} ORDER BY nonce", (account, *values))
        return [_entry(row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything inside together, durably; raise `BadJournal`, keeping nothing."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise BadJournal(f"the journal can't be written: {error}") from error
            raise


def _values(entry: JournalEntry) -> list[object]:
    return [getattr(entry, name) for name in _FIELDS]


def _entry(row: Sequence[Any]) -> JournalEntry:
    fields = dict(zip(_FIELDS, row, strict=True))
    fields |= {"state": EntryState(fields["state"]), "handed": bool(fields["handed"])}
    return JournalEntry(**fields)


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(0o600)
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise
    return db
