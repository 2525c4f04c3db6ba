"""Answering: who asks for a reading of a lot is shown it, before all that the lot counted is void.

Every final block is looked through for questions that took effect. What is kept here answers them:
the reading itself, or those that follow each other around where it would be, or what begins after
it. What is not here is for others to show: attestors of the lot keep its readings too.

Invariant: a question is answered once, by a letter that is on disk before its block is passed.
"""

from collections.abc import Callable

import structlog

from iot_minting.gateway.archive import Archive
from iot_minting.gateway.letters import Draft, Letters, What
from iot_minting.wire.questions import find_questions, name_question, write_answer
from ledger.primitives.codec import encode
from ledger.primitives.keys import PublicKey
from ledger.state.names import epoch_name
from ledger.types.doubt import AskEvidence, ShowEvidence
from node.client.views import FinalBlock

log = structlog.get_logger("mint")


class Answers:
    """Answers questions about what an archive keeps. The archive is its own: `close` closes it."""

    def __init__(self, archive: Archive, letters: Letters, now_ms: Callable[[], int]) -> None:
        self._archive, self._letters, self._now_ms = archive, letters, now_ms

    def close(self) -> None:
        """Close the archive."""
        self._archive.close()

    def note(self, block: FinalBlock) -> None:
        """Write a letter for each question of a final block that can be answered here."""
        for asked in find_questions(block):
            if not isinstance(asked, AskEvidence):
                continue
            # It may be asked again later.
            subject = name_question(asked) + epoch_name(block.height)
            body = answer(asked, self._archive)
            if body is None or self._letters.has(subject):
                continue
            log.warning("reading asked for", lot=asked.lot.hex(), device=asked.device.hex())
            self._letters.write(Draft(subject, What.ANSWER, encode(body), 0, self._now_ms()))


def answer(asked: AskEvidence, archive: Archive) -> ShowEvidence | None:
    """Give what answers a question; None if nothing is kept that could."""
    device, number = PublicKey(asked.device), (asked.boot, asked.seq)
    following = archive.after(device, (asked.boot, asked.seq - 1), 1)
    if not following:
        return None
    found, _ = following[0]
    return write_answer(asked, found, archive.before(device, number))
