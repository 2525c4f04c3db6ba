"""Letters: what this gateway wants on the chain, from the moment it is decided until it is final.

A letter is on disk before anything is signed, its bytes before they are sent, and the same bytes
are sent until they are final or can't become final any more. A letter that ends without effect
loses nothing: its readings stand in the archive, and are brought again in another one.

Invariant: one open letter a subject (a line, a meter, or a question).
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from iot_minting.gateway.database import Database

OLD_LETTERS_MAX: Final = 100_000
"""Letters kept that are done with, for people to look at."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT, subject BLOB NOT NULL, what TEXT NOT NULL,
    body BLOB NOT NULL, units INTEGER NOT NULL, made_ms INTEGER NOT NULL, state TEXT NOT NULL,
    raw BLOB NOT NULL DEFAULT x'', txid BLOB NOT NULL DEFAULT x'',
    valid_until INTEGER NOT NULL DEFAULT 0, height INTEGER NOT NULL DEFAULT 0,
    detail TEXT NOT NULL DEFAULT '') STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS letters_open ON letters (subject)
    WHERE state IN ('written', 'signed', 'sent');
"""


class LetterState(StrEnum):
    """How far a letter has come.

    `SIGNED` bytes are nowhere yet, `SENT` ones may be in a pool. `FAILED` ones took no effect, in
    a block or before one.
    """

    WRITTEN = "written"
    SIGNED = "signed"
    SENT = "sent"
    FINAL = "final"
    FAILED = "failed"


class What(StrEnum):
    """What a letter brings."""

    COLLECTION = "collection"
    WINDOW = "window"
    TAMPERING = "tampering"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Draft:
    """A letter that is not written yet: whose it is, and the encoded body of a transaction."""

    subject: bytes
    what: What
    body: bytes
    units: int
    made_ms: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, and the transaction that carries it, once signed."""

    number: int
    subject: bytes
    what: What
    body: bytes
    units: int
    made_ms: int
    state: LetterState
    raw: bytes
    txid: bytes
    valid_until: int
    height: int
    detail: str


class Letters:
    """One connection to the letters in the gateway's file."""

    def __init__(self, path: Path) -> None:
        self._file = Database(path, _SCHEMA)
        self._db = self._file.connection

    def close(self) -> None:
        """Close the connection."""
        self._file.close()

    def write(self, draft: Draft) -> None:
        """Keep a letter, durably. Its subject has none that is open."""
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO letters (subject, what, body, units, made_ms, state) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (
                    draft.subject,
                    draft.what,
                    draft.body,
                    draft.units,
                    draft.made_ms,
                    LetterState.WRITTEN,
                ),
            )
            db.execute(
                "DELETE FROM letters WHERE state IN ('final', 'failed') AND number <= "
                "(SELECT max(number) FROM letters) - ?",
                (OLD_LETTERS_MAX,),
            )

    def update(self, *letters: Letter) -> None:
        """Keep what became of letters, durably and together."""
        with self._file.transaction() as db:
            for letter in letters:
                db.execute(
                    "UPDATE letters SET state = ?, raw = ?, txid = ?, valid_until = ?, "
                    "height = ?, detail = ? WHERE number = ?",
                    (
                        letter.state,
                        letter.raw,
                        letter.txid,
                        letter.valid_until,
                        letter.height,
                        letter.detail,
                        letter.number,
                    ),
                )

    def open(self) -> list[Letter]:
        """List the letters that are not done with, oldest first."""
        rows = self._db.execute(
            "SELECT * FROM letters WHERE state IN ('written', 'signed', 'sent') ORDER BY number"
        )
        return [_letter(row) for row in rows]

    def has(self, subject: bytes) -> bool:
        """Tell whether a subject ever had a letter, as far as they are kept."""
        found = self._db.execute("SELECT 1 FROM letters WHERE subject = ? LIMIT 1", (subject,))
        return found.fetchone() is not None

    def latest(self, what: What, limit: int) -> list[Letter]:
        """List the latest letters that bring something, newest first."""
        rows = self._db.execute(
            "SELECT * FROM letters WHERE what = ? ORDER BY number DESC LIMIT ?", (what, limit)
        )
        return [_letter(row) for row in rows]

    def windows(self) -> list[tuple[bytes, int, int, int]]:
        """Give every line's windows: how many were claimed, how many are final, and their units."""
        rows = self._db.execute(
            "SELECT subject, count(*), sum(state = 'final'), sum(iif(state = 'final', units, 0)) "
            "FROM letters WHERE what = 'window' GROUP BY subject ORDER BY subject"
        )
        return [(bytes(line), claimed, final, units) for line, claimed, final, units in rows]

    def totals(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Give count and units of letters by what they bring and by state."""
        rows = self._db.execute(
            "SELECT what, state, count(*), sum(units) FROM letters GROUP BY what, state"
        )
        return {(what, state): (count, units) for what, state, count, units in rows}


def _letter(row: tuple[object, ...]) -> Letter:
    letter = Letter(*row)  # type: ignore[arg-type]  # The schema is strict: columns are the fields.
    return replace(letter, what=What(letter.what), state=LetterState(letter.state))
