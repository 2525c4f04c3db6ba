"""The trace: what happened, in order, and a running digest of it.

Everything that happens is folded into the digest: same seed, same digest (I12). What a person
wants to read is told in words as well, and kept only by a trace that records.
"""

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

DIGEST_BYTES: Final = 16
ENTRIES_MAX: Final = 500_000
"""Entries that a recording trace keeps; past it the newest are dropped, the digest goes on."""
EPOCH_STEP: Final = 100_000
"""Views of epoch e are told as e times this and their number."""
WORLD: Final = -1
"""The place of what concerns no single process."""


def spot(epoch: int, view: int) -> int:
    """Write epoch and view as one number that ascends; the first epoch's views are themselves."""
    return epoch * EPOCH_STEP + view


def name_spot(number: int) -> str:
    """Write a spot for people: `7`, or `2:7` in the third epoch."""
    epoch, view = divmod(number, EPOCH_STEP)
    return f"{epoch}:{view}" if epoch else str(view)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened at a place (or `WORLD`), about a view if it is about one."""

    time_ms: int
    place: int
    kind: str
    view: int
    text: str

    def line(self) -> str:
        """Write the entry for people."""
        where = "      " if self.place == WORLD else f"v{self.place:<5}"
        view = f"view {name_spot(self.view):<5}" if self.view >= 0 else " " * 10
        return f"{self.time_ms / 1000:9.3f} s  {where} {view} {self.kind:<9} {self.text}"


@dataclass(slots=True)
class SimulationTrace:
    """Folds everything, keeps what is told if it records."""

    recording: bool = False
    entries: list[Entry] = field(default_factory=list)
    _hash: "blake2b" = field(default_factory=lambda: blake2b(digest_size=DIGEST_BYTES))

    def fold(self, time_ms: int, place: int, kind: str, number: int) -> None:
        """Fold something into the digest without a word: a delivery, a tick."""
        self._hash.update(b"%d %d %s %d\n" % (time_ms, place, kind.encode(), number))

    def tell(self, time_ms: int, place: int, kind: str, view: int, text: str) -> None:
        """Fold something into the digest, and keep it for a reader."""
        self._hash.update(f"{time_ms} {place} {kind} {view} {text}\n".encode())
        self.keep(time_ms, place, kind, view, text)

    def keep(self, time_ms: int, place: int, kind: str, view: int, text: str) -> None:
        """Keep something for a reader that the digest has in another form."""
        if self.recording and len(self.entries) < ENTRIES_MAX:
            self.entries.append(Entry(time_ms, place, kind, view, text))

    def digest(self) -> str:
        """Name all that was folded so far."""
        return self._hash.hexdigest()
