"""Questions: what is asked on the chain of lots that were signed here, and when to answer.

The lot's gateway answers first. If nobody did within a quarter of the time that there is, its
attestors do, one after another in an order that each finds by itself: so the fee is paid once, not
by all. Who signed, and was not needed for the quorum, comes last.

Invariant: what is signed is on disk before anybody sees it, and one answer is under way at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from iot_minting.attestor.tables import open_file, transaction
from iot_minting.wire.questions import name_question
from ledger.primitives.codec import decode, encode
from ledger.primitives.keys import PublicKey
from ledger.types.doubt import AskEvidence

BODY_BYTES_MAX: Final = 4_096
HEIGHT_META: Final = "height"


@dataclass(frozen=True, slots=True)
class NotedQuestion:
    """A question that nobody answered yet, and the answer that is under way, if one is."""

    asked: AskEvidence
    asked_ms: int
    raw: bytes = b""
    txid: bytes = b""
    valid_until: int = 0

    @property
    def name(self) -> bytes:
        """Give its name on the chain."""
        return name_question(self.asked)


class QuestionBook:
    """The open questions, and how far blocks were read for them. One thread uses it."""

    def __init__(self, path: Path) -> None:
        self._db = open_file(path)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def height(self) -> int | None:
        """Give the height up to which blocks were read; None before the first."""
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (HEIGHT_META,)).fetchone()
        return None if found is None else int.from_bytes(found[0], "big")

    def note(
        self, height: int, opened: Sequence[NotedQuestion] = (), closed: Sequence[bytes] = ()
    ) -> None:
        """Keep what a block opened and closed, with its height: a block is read once, or again."""
        with transaction(self._db):
            self._db.executemany(
                "INSERT OR IGNORE INTO questions (name, body, asked_ms) VALUES (?, ?, ?)",
                ((each.name, encode(each.asked), each.asked_ms) for each in opened),
            )
            self._db.executemany(
                "DELETE FROM questions WHERE name = ?", ((name,) for name in closed)
            )
            self._db.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)",
                (HEIGHT_META, height.to_bytes(8, "big")),
            )

    def keep(self, question: NotedQuestion) -> None:
        """Keep the answer that is under way to a question, or that none is any more."""
        with transaction(self._db):
            self._db.execute(
                "UPDATE questions SET raw = ?, txid = ?, valid_until = ? WHERE name = ?",
                (question.raw, question.txid, question.valid_until, question.name),
            )

    def forget(self, question: NotedQuestion) -> None:
        """Forget a question that an answer of ours was refused for."""
        with transaction(self._db):
            self._db.execute("DELETE FROM questions WHERE name = ?", (question.name,))

    def open(self) -> list[NotedQuestion]:
        """List the open questions, oldest first."""
        rows = self._db.execute(
            "SELECT body, asked_ms, raw, txid, valid_until FROM questions ORDER BY asked_ms, name"
        )
        return [
            NotedQuestion(decode(body, AskEvidence, BODY_BYTES_MAX), *rest) for body, *rest in rows
        ]


def answer_ms(
    name: bytes, asked_ms: int, time_ms: int, signers: Sequence[PublicKey], key: PublicKey
) -> int:
    """Tell when an attestor answers a question, if nobody did before.

    - `time_ms`: how long there is from `asked_ms` on.
    - `signers`: who signed for the lot, as the chain has it.

    In the second and third quarter, in the order of blake2b-256 over question and key.
    """
    order = sorted(signers, key=lambda each: blake2b(name + each, digest_size=32).digest())
    place = order.index(key) if key in order else len(order)
    return asked_ms + time_ms // 4 + place * (time_ms // 2) // max(1, len(order))
