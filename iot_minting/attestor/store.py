"""What an attestor keeps: its answers, and the evidence behind them, in one SQLite file.

Tables: claims (what was signed for), lines (from when the latest of a line was), refusals,
envelopes (each once), bundles (which envelopes stand under a claim's root, in order), meta.

Invariants: an answer is durable before anybody hears it, its evidence in the same transaction. An
envelope goes when no bundle names it any more. Of one number of a device several may be kept: two
different ones are evidence against the device. What is forgotten costs as much work as it was.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final

from iot_minting.attestor.bundles import (
    Numbered,
    drop_bundle,
    find_around,
    keep_bundle,
    keep_tips,
)
from iot_minting.attestor.quotas import MMU_REFUSAL_BYTES_MAX, MMU_REFUSALS_MAX, Held, weigh
from iot_minting.attestor.tables import open_file, transaction
from iot_minting.errors import Misconfigured
from iot_minting.wire.windows import WindowRefusal
from ledger.primitives.codec import decode, encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.types.reading import Envelope
from ledger.types.window import WindowAttestation, WindowClaim

STORE_NAME: Final = "attestor.sqlite"
PAGE: Final = 256
"""Envelopes that are read at once, when a bundle is sent."""
ROW_BYTES_MAX: Final = 64 * 1024
CHAIN_META: Final = "chain_id"


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A claim of an MMU's that was judged by blocks up to a height, and its answer.

    `evidence` is what is kept behind it: none for envelopes that no device signed. At `until_ms` it
    is needed no longer, unless it is minted before.
    """

    mmu: Address
    claim: WindowClaim
    answer: WindowAttestation | WindowRefusal
    evidence: Sequence[Numbered]
    until_ms: int

    @property
    def weight_bytes(self) -> int:
        """Give what it takes in the store at most."""
        return weigh([envelope for *_, envelope in self.evidence])


@dataclass(frozen=True, slots=True)
class UnmintedClaim:
    """A claim that was signed and is not known to be minted: from when on it counts."""

    lot: Hash
    from_ms: int


class AttestorStore:
    """Two connections to the file. One writes, for one thread at a time; the other reads, in any.

    What is read is durable.
    """

    def __init__(self, path: Path) -> None:
        self._db = open_file(path)
        self._writing = Lock()
        self._reader = open_file(path)

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything inside together, or nothing of it."""
        with self._writing, transaction(self._db):
            yield self._db

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
        """Keep an answer and its evidence, durably; of an MMU's refusals, the oldest make room."""
        claim, answer = judged.claim, judged.answer
        root, until_ms, weight = claim.readings_root, judged.until_ms, judged.weight_bytes
        with self._transaction() as db:
            keep_bundle(db, root, judged.evidence)
            row = (claim.lot_id(), judged.mmu, root, encode(answer), until_ms, weight)
            if isinstance(answer, WindowAttestation):
                db.execute(
                    "INSERT INTO claims (lot, mmu, root, answer, until_ms, weight, line, from_ms) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, claim.line, claim.from_ms),
                )
                db.execute(
                    "INSERT INTO lines (line, from_ms) VALUES (?, ?) "
                    "ON CONFLICT DO UPDATE SET from_ms = max(from_ms, excluded.from_ms)",
                    (claim.line, claim.from_ms),
                )
            else:
                db.execute(
                    "INSERT INTO refusals (lot, mmu, root, answer, until_ms, weight, height) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (*row, answer.height),
                )
                self._make_room(judged.mmu)

    def _make_room(self, mmu: Address) -> None:
        """Forget the oldest refusals of an MMU's claims beyond what is kept of them."""
        rows = self._db.execute(
            "SELECT id, root, weight FROM refusals WHERE mmu = ? ORDER BY id DESC", (mmu,)
        ).fetchall()
        left_bytes = MMU_REFUSAL_BYTES_MAX
        for place, (number, root, weight) in enumerate(rows):
            left_bytes -= weight
            if place >= MMU_REFUSALS_MAX or (place and left_bytes < 0):
                self._drop_refusal(number, root)

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
        """Give the latest time from which a window of the line was ever signed; 0 if none was."""
        found = self._one("SELECT from_ms FROM lines WHERE line = ?", line)
        return found or 0

    def held(self, line: Hash, mmu: Address) -> tuple[Held, Held]:
        """Give what is signed and not known to be minted: of a line, and of an MMU."""
        query = "SELECT count(*), coalesce(sum(weight), 0) FROM claims WHERE NOT minted AND "
        of_line = self._reader.execute(query + "line = ?", (line,)).fetchone()
        of_mmu = self._reader.execute(query + "mmu = ?", (mmu,)).fetchone()
        return Held(*of_line), Held(*of_mmu)

    def mmus(self) -> list[Address]:
        """List those for whose lines something was judged."""
        rows = self._reader.execute("SELECT mmu FROM claims UNION SELECT mmu FROM refusals")
        return [Address(mmu) for (mmu,) in rows]

    def unminted_lines(self, mmu: Address | None = None) -> list[Hash]:
        """List the lines, all or an MMU's, of which something waits to be minted."""
        rows = self._reader.execute(
            "SELECT DISTINCT line FROM claims WHERE NOT minted AND (:mmu IS NULL OR mmu = :mmu)",
            {"mmu": mmu},
        )
        return [Hash(line) for (line,) in rows]

    def unminted(self, line: Hash, before_ms: int) -> list[UnmintedClaim]:
        """List a line's claims that are not known to be minted and begin before a time."""
        rows = self._reader.execute(
            "SELECT lot, from_ms FROM claims WHERE NOT minted AND line = ? AND from_ms < ?",
            (line, before_ms),
        )
        return [UnmintedClaim(Hash(lot), from_ms) for lot, from_ms in rows]

    def numbered(self, device: PublicKey, boot: int, seq: int) -> list[Envelope]:
        """List the envelopes of one number: several only if the device signed several."""
        rows = self._reader.execute(
            "SELECT raw FROM envelopes WHERE device = ? AND boot = ? AND seq = ? ORDER BY id",
            (device, boot, seq),
        )
        return [decode(raw, Envelope, ROW_BYTES_MAX) for (raw,) in rows]

    def bundle_count(self, root: Hash) -> int:
        """Count the envelopes that are kept under a claim's root."""
        query = "SELECT count(*) FROM bundles WHERE root = ? AND place >= 0"
        return int(self._one(query, root) or 0)

    def bundle_page(self, root: Hash, start: int) -> list[bytes]:
        """Give the encoded envelopes under a root from a place on, a page of them."""
        rows = self._reader.execute(
            "SELECT e.raw FROM bundles b JOIN envelopes e ON e.id = b.envelope "
            "WHERE b.root = ? AND b.place >= ? ORDER BY b.place LIMIT ?",
            (root, start, PAGE),
        )
        return [raw for (raw,) in rows]

    def root_of(self, lot: Hash) -> Hash | None:
        """Give the root of a claim that was signed; None if it was not, or is forgotten."""
        found = self._one("SELECT root FROM claims WHERE lot = ?", lot)
        return None if found is None else Hash(found)

    def around(
        self, root: Hash, device: PublicKey, boot: int, seq: int
    ) -> tuple[Envelope, Envelope | None] | None:
        """Give a bundle's first envelope from a number on, and the one before it if that is kept.

        None if the bundle has none.
        """
        return find_around(self._reader, root, (device, boot, seq))

    def keep_tips(self, line: Hash, digests: Mapping[PublicKey, Hash]) -> None:
        """Keep what a line's next window follows, whatever becomes of the windows before it."""
        with self._transaction() as db:
            keep_tips(db, line, digests)

    def due(self, now_ms: int, limit: int) -> list[Hash]:
        """List minted lots whose evidence is perhaps not needed any longer."""
        rows = self._reader.execute(
            "SELECT lot FROM claims WHERE minted AND until_ms <= ? ORDER BY until_ms LIMIT ?",
            (now_ms, limit),
        )
        return [Hash(lot) for (lot,) in rows]

    def note_minted(self, lot: Hash, until_ms: int) -> None:
        """Keep the evidence of a lot, which is minted, until a time."""
        with self._transaction() as db:
            db.execute("UPDATE claims SET minted = 1, until_ms = ? WHERE lot = ?", (until_ms, lot))

    def forget(self, lots: Iterable[Hash]) -> None:
        """Forget lots, each by itself, and the evidence that nothing needs then."""
        for lot in lots:
            with self._transaction() as db:
                found = db.execute("SELECT root FROM claims WHERE lot = ?", (lot,)).fetchone()
                if found is not None:
                    db.execute("DELETE FROM claims WHERE lot = ?", (lot,))
                    drop_bundle(db, found[0])

    def forget_late(self, now_ms: int) -> None:
        """Forget refusals, and claims that were never minted, whose time is over."""
        refusals = self._reader.execute(
            "SELECT id, root FROM refusals WHERE until_ms <= ?", (now_ms,)
        ).fetchall()
        for number, root in refusals:
            with self._transaction():
                self._drop_refusal(number, root)
        claims = self._reader.execute(
            "SELECT lot FROM claims WHERE NOT minted AND until_ms <= ?", (now_ms,)
        ).fetchall()
        self.forget(Hash(lot) for (lot,) in claims)

    def _drop_refusal(self, number: int, root: bytes) -> None:
        self._db.execute("DELETE FROM refusals WHERE id = ?", (number,))
        drop_bundle(self._db, root)

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
