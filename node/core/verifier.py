"""Signatures, checked once: which transactions' bytes are known to be signed well.

Verification is slow, so the shell does it in threads (`Verify`), and the answer is kept by the
hash of the whole transaction, signatures included: two encodings with one id are two entries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.primitives.hashing import Domain, Hash, digest
from ledger.rules.claims import Claim
from node.core.effects import Verify
from node.core.events import Verified

KNOWN_MAX: Final = 60_000
PENDING_MAX: Final = 4_096
"""Verification jobs under way; past it new work is refused."""


def fingerprint(raw: bytes) -> Hash:
    """Name a transaction with its signatures."""
    return digest(Domain.TRANSACTION, b"signed", raw)


@dataclass(frozen=True, slots=True)
class _Job:
    marks: tuple[Hash, ...]
    sizes: tuple[int, ...]
    then: Callable[[tuple[bool, ...]], None]


class Verifier:
    """Hands out verification jobs and remembers what was good."""

    def __init__(self) -> None:
        self._known: dict[Hash, None] = {}
        self._jobs: dict[int, _Job] = {}
        self._ticket = 0

    @property
    def full(self) -> bool:
        """Tell whether no more jobs are taken."""
        return len(self._jobs) >= PENDING_MAX

    def knows(self, mark: Hash) -> bool:
        """Tell whether these bytes were found well signed."""
        return mark in self._known

    def ask(
        self,
        items: Sequence[tuple[Hash, Sequence[Claim]]],
        then: Callable[[tuple[bool, ...]], None],
        *,
        is_urgent: bool = False,
    ) -> Verify:
        """Make the effect that checks the items; `then` gets one verdict an item."""
        self._ticket += 1
        marks = tuple(mark for mark, _ in items)
        self._jobs[self._ticket] = _Job(marks, tuple(len(claims) for _, claims in items), then)
        claims = tuple(claim for _, claims in items for claim in claims)
        return Verify(self._ticket, claims, is_urgent)

    def answer(self, event: Verified) -> None:
        """Take the shell's answer, remember the good ones, and go on with what waited."""
        job = self._jobs.pop(event.ticket, None)
        if job is None:
            return
        verdicts, at = [], 0
        for mark, size in zip(job.marks, job.sizes, strict=True):
            good = size > 0 and all(event.results[at : at + size])
            at += size
            verdicts.append(good)
            if good:
                self._remember(mark)
        job.then(tuple(verdicts))

    def _remember(self, mark: Hash) -> None:
        self._known[mark] = None
        if len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]
