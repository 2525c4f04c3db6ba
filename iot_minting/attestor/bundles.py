"""Bundles: which envelopes stand under a claim's root, in order. Each envelope is kept once.

Everything here is part of a transaction of its caller's.
"""

import sqlite3
from collections.abc import Sequence

from ledger.primitives.codec import encode
from ledger.primitives.keys import PublicKey
from ledger.types.reading import Envelope

Numbered = tuple[PublicKey, int, int, Envelope]
"""An envelope with its device, boot and seq."""


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
        ((root, place, digest) for place, digest in enumerate(digests)),
    )


def drop_bundle(db: sqlite3.Connection, root: bytes) -> None:
    """Forget a bundle that no answer needs, and those of its envelopes that no other has."""
    needed = "SELECT 1 FROM claims WHERE root = ?1 UNION SELECT 1 FROM refusals WHERE root = ?1"
    if db.execute(needed, (root,)).fetchone() is not None:
        return
    envelopes = db.execute("SELECT envelope FROM bundles WHERE root = ?", (root,)).fetchall()
    db.execute("DELETE FROM bundles WHERE root = ?", (root,))
    db.executemany(
        "DELETE FROM envelopes WHERE id = ?1 "
        "AND NOT EXISTS (SELECT 1 FROM bundles WHERE envelope = ?1)",
        envelopes,
    )
