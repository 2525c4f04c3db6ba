"""Bundles: which envelopes stand under a claim's root, in order. Each envelope is kept once.

Beside them a bundle has, at places below 0, what each device's first one follows, as far as it is
kept: who is asked for a number between the two shows both. So it outlives the window before. Where
that made no lot, or was forgotten, `tips` keep it: the last that a line's windows are done with.

Everything here is part of a transaction of its caller's.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.types.reading import Envelope

Numbered = tuple[PublicKey, int, int, Envelope]
"""An envelope with its device, boot and seq."""
ROW_BYTES_MAX: Final = 64 * 1024

_FROM_ON: Final = (
    "SELECT raw FROM envelopes WHERE device = :device AND (boot, seq) >= (:boot, :seq) AND EXISTS "
    "(SELECT 1 FROM bundles WHERE envelope = envelopes.id AND root = :root AND place >= 0) "
    "ORDER BY boot, seq LIMIT 1"
)
_BEFORE: Final = (
    "SELECT raw FROM envelopes WHERE device = :device AND (boot, seq) < (:boot, :seq) AND EXISTS "
    "(SELECT 1 FROM bundles WHERE envelope = envelopes.id AND root = :root) "
    "ORDER BY boot DESC, seq DESC LIMIT 1"
)


def keep_bundle(db: sqlite3.Connection, root: bytes, evidence: Sequence[Numbered]) -> None:
    """Keep the envelopes under a root, unless they are kept already."""
    found = db.execute("SELECT 1 FROM bundles WHERE root = ? LIMIT 1", (root,))
    if found.fetchone() is not None:
        return
    digests = [envelope.digest() for *_, envelope in evidence]
    db.executemany(
        "INSERT OR IGNORE INTO envelopes (device, boot, seq, digest, raw) VALUES (?, ?, ?, ?, ?)",
        (
            (device, boot, seq, digest, encode(envelope))
            for (device, boot, seq, envelope), digest in zip(evidence, digests, strict=True)
        ),
    )
    db.executemany(
        "INSERT INTO bundles (root, place, envelope) SELECT ?, ?, id FROM envelopes "
        "WHERE digest = ?",
        ((root, place, digest) for place, digest in (*enumerate(digests), *_before(evidence))),
    )


def _before(evidence: Sequence[Numbered]) -> list[tuple[int, Hash]]:
    """Name what each device's first envelope follows, with a place below 0."""
    first: dict[PublicKey, Envelope] = {}
    for device, *_, envelope in evidence:
        first.setdefault(device, envelope)
    return [(-1 - n, Hash(each.reading().previous)) for n, each in enumerate(first.values())]


def find_around(
    db: sqlite3.Connection, root: bytes, number: tuple[PublicKey, int, int]
) -> tuple[Envelope, Envelope | None] | None:
    """Give a bundle's first envelope from a device's number on, and the last that is kept before.

    None if the bundle has none from there on.
    """
    device, boot, seq = number
    asked = {"root": root, "device": device, "boot": boot, "seq": seq}
    found = db.execute(_FROM_ON, asked).fetchone()
    earlier = db.execute(_BEFORE, asked).fetchone()
    if found is None:
        return None
    return (
        decode(found[0], Envelope, ROW_BYTES_MAX),
        None if earlier is None else decode(earlier[0], Envelope, ROW_BYTES_MAX),
    )


def keep_tips(db: sqlite3.Connection, line: bytes, digests: Mapping[PublicKey, Hash]) -> None:
    """Keep the envelopes that the next window of a line follows, and let go of those before."""
    kept = "SELECT id, device FROM envelopes WHERE digest = ?"
    found = [row for digest in digests.values() for row in db.execute(kept, (digest,))]
    before = db.execute("SELECT envelope FROM tips WHERE line = ?", (line,)).fetchall()
    db.execute("DELETE FROM tips WHERE line = ?", (line,))
    db.executemany(
        "INSERT INTO tips (line, device, envelope) VALUES (?, ?, ?)",
        ((line, device, number) for number, device in found),
    )
    _drop_envelopes(db, before)


def drop_bundle(db: sqlite3.Connection, root: bytes) -> None:
    """Forget a bundle that no answer needs, and those of its envelopes that no other has."""
    needed = (
        "SELECT 1 FROM claims WHERE root = :root UNION SELECT 1 FROM refusals WHERE root = :root"
    )
    if db.execute(needed, {"root": root}).fetchone() is not None:
        return
    envelopes = db.execute("SELECT envelope FROM bundles WHERE root = ?", (root,)).fetchall()
    db.execute("DELETE FROM bundles WHERE root = ?", (root,))
    _drop_envelopes(db, envelopes)


def _drop_envelopes(db: sqlite3.Connection, numbers: Sequence[tuple[int]]) -> None:
    """Forget envelopes that nothing names any more."""
    db.executemany(
        "DELETE FROM envelopes WHERE id = :id "
        "AND NOT EXISTS (SELECT 1 FROM bundles WHERE envelope = :id) "
        "AND NOT EXISTS (SELECT 1 FROM tips WHERE envelope = :id)",
        ({"id": number} for (number,) in numbers),
    )
