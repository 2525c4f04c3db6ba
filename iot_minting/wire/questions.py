"""Questions about lots, as final blocks tell of them, and what answers one (ledger spec §12.6).

Pure. Gateways and attestors answer what they keep, each from its own store.
"""

from collections.abc import Iterator

from ledger.primitives.errors import CodecFault
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import PublicKey
from ledger.state.names import question_name
from ledger.types.doubt import AskEvidence, ShowEvidence, VoidUnanswered
from ledger.types.reading import Envelope
from ledger.types.transaction import decode_transaction
from node.client.views import FinalBlock

QuestionBody = AskEvidence | ShowEvidence | VoidUnanswered


def find_questions(block: FinalBlock) -> Iterator[QuestionBody]:
    """List what took effect in a block that opens a question, or closes one."""
    for raw, receipt in zip(block.transactions, block.receipts, strict=True):
        if receipt.code:
            continue
        try:
            body = decode_transaction(raw).intent.body
        except CodecFault:
            continue  # Of a newer kind.
        if isinstance(body, QuestionBody):
            yield body


def name_question(body: QuestionBody) -> bytes:
    """Name the question that a body is about."""
    return question_name(Hash(body.lot), PublicKey(body.device), body.boot, body.seq)


def write_answer(asked: AskEvidence, found: Envelope, earlier: Envelope | None) -> ShowEvidence:
    """Answer with the first envelope that is numbered as asked or later, and the one before it.

    That is the reading itself; or the two around where it would be; or what begins after it.
    """
    reading = found.reading()
    shown: tuple[Envelope, ...] = (found,)
    missing = (reading.boot, reading.seq) != (asked.boot, asked.seq)
    if missing and earlier is not None and reading.previous == earlier.digest():
        shown = (earlier, found)
    return ShowEvidence(asked.lot, asked.device, asked.boot, asked.seq, shown)
