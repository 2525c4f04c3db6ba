"""Questions: who doubts a lot and has nothing to show asks for a reading (spec §12.6).

The lot's window claimed the reading, so its MMU and attestors have it. Whoever shows it closes the
question. The deposit then goes to the reserve: if the answerer had it, a plant could keep all
places for questions filled with its own, for nothing but fees. If nobody answers in time, all that
the lot counted is void, since without the reading nobody can tell which part of it is good.
"""

from typing import Final

from ledger.errors.doubt import (
    AnswerPending,
    NoAnswer,
    OpenQuestion,
    TooManyQuestions,
    UnclaimedReading,
    UnknownQuestion,
)
from ledger.errors.milk import LowDeposit
from ledger.errors.registry import OwnCause
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Address
from ledger.rules.claims import Claim
from ledger.rules.context import BlockContext, Call
from ledger.rules.doubts import check_window, count_doubts, find_proven, questions_open
from ledger.rules.fees import check_money
from ledger.rules.law import Law
from ledger.rules.refuting import read_claimed, read_shown, shown_claims, void_intervals
from ledger.state.doubt import AskedReading
from ledger.state.names import question_name
from ledger.state.overlay import Overlay, Reader
from ledger.state.proven import Proven
from ledger.state.tables import DEPOSITS_ACCOUNT, QUESTIONS, RESERVE_ACCOUNT, parameters, pay
from ledger.types.doubt import AskEvidence, ShowEvidence, VoidUnanswered

QUESTIONS_MAX: Final = 64
"""The most questions that may be open about one lot."""


def _name(body: AskEvidence | ShowEvidence | VoidUnanswered) -> bytes:
    return question_name(body.lot, body.device, body.boot, body.seq)


def _numbers(body: AskEvidence | ShowEvidence | VoidUnanswered) -> dict[str, int | str]:
    return {"device": body.device.hex(), "boot": body.boot, "seq": body.seq}


def check_ask(reader: Reader, call: Call, body: AskEvidence) -> Proven:
    """Raise unless the reading is claimed and not asked for, and the deposit is there."""
    proven = find_proven(reader, body.lot)
    if proven.mmu == call.sender:
        raise OwnCause(address=call.sender.hex())
    if not any(
        span.device == body.device and span.has(body.boot, body.seq) for span in proven.spans
    ):
        raise UnclaimedReading(lot=body.lot.hex(), **_numbers(body))
    if QUESTIONS.get(reader, _name(body)) is not None:
        raise OpenQuestion(**_numbers(body))
    if questions_open(reader, body.lot) >= QUESTIONS_MAX:
        raise TooManyQuestions(lot=body.lot.hex(), most=QUESTIONS_MAX)
    least = parameters(reader).challenge_deposit_units
    if body.deposit_units < least:
        raise LowDeposit(got=body.deposit_units, least=least)
    check_money(reader, call, body.deposit_units)
    return proven


def apply_ask(overlay: Overlay, context: BlockContext, call: Call, body: AskEvidence) -> None:
    """Open a question."""
    check_window(body.lot, check_ask(overlay, call, body), context.time_ms)
    count_doubts(overlay, body.lot, questions=1)
    pay(overlay, call.sender, DEPOSITS_ACCOUNT, body.deposit_units)
    asked = AskedReading(call.sender, body.deposit_units, context.time_ms)
    QUESTIONS.put(overlay, asked, _name(body))


def check_show(reader: Reader, call: Call, body: ShowEvidence) -> AskedReading:
    """Raise unless what is shown answers an open question; give the question."""
    question = _find_question(reader, body)
    proven = find_proven(reader, body.lot)
    if not _answers(proven, body):
        raise NoAnswer(**_numbers(body))
    return question


def _find_question(reader: Reader, body: ShowEvidence | VoidUnanswered) -> AskedReading:
    question = QUESTIONS.get(reader, _name(body))
    if question is None:
        raise UnknownQuestion(**_numbers(body))
    return question


def _answers(proven: Proven, body: ShowEvidence) -> bool:
    """Tell whether what is shown is what was asked for, or says that nobody owes it."""
    asked = (body.boot, body.seq)
    last_envelope = body.envelopes[-1]
    # The earlier of two may be the reading that the span begins after: only the later is claimed.
    span, [last] = read_claimed(body.lot, proven, body.device, (last_envelope,))
    if len(body.envelopes) == 2:
        first_envelope = body.envelopes[0]
        first = read_shown(body.device, first_envelope)
        return (first.boot, first.seq) < asked < (
            last.boot,
            last.seq,
        ) and last.previous == first_envelope.digest()
    if (last.boot, last.seq) == asked:
        return True
    began_ms = last.t0_ms + last.samples[0][0]
    begins_chain = last.previous == ZERO_HASH and last.seq == 0
    # A device that was never shown before may have a past that no window claims.
    older = span.after is None and began_ms <= max(proven.from_ms, span.from_ms)
    return asked < (last.boot, last.seq) and (begins_chain or older)


def apply_show(overlay: Overlay, context: BlockContext, call: Call, body: ShowEvidence) -> None:
    """Close the question; what it cost goes to the reserve."""
    question = check_show(overlay, call, body)
    QUESTIONS.remove(overlay, _name(body))
    count_doubts(overlay, body.lot, questions=-1)
    pay(overlay, DEPOSITS_ACCOUNT, RESERVE_ACCOUNT, question.deposit_units)


def apply_void(overlay: Overlay, context: BlockContext, call: Call, body: VoidUnanswered) -> None:
    """Void all that the lot counted, and give the deposit back."""
    question = _find_question(overlay, body)
    until_ms = question.asked_ms + parameters(overlay).doubt.answer_ms
    if context.time_ms <= until_ms:
        raise AnswerPending(until_ms=until_ms, time_ms=context.time_ms)
    QUESTIONS.remove(overlay, _name(body))
    pay(overlay, DEPOSITS_ACCOUNT, Address(question.asker), question.deposit_units)
    # Of those that are void already, all is found false.
    count = len(find_proven(overlay, body.lot).intervals)
    void_intervals(overlay, body.lot, tuple(range(count)))
    count_doubts(overlay, body.lot, questions=-1)


def _claims(body: ShowEvidence, sender: Address, chain: Hash) -> list[Claim]:
    return shown_claims(body.device, body.envelopes, chain)


def check_void(reader: Reader, call: Call, body: VoidUnanswered) -> None:
    """Raise unless the question is open."""
    _find_question(reader, body)


QUESTION_LAWS: Final = (
    Law(AskEvidence, apply_ask, check_ask),
    Law(ShowEvidence, apply_show, check_show, claims=_claims),
    Law(VoidUnanswered, apply_void, check_void),
)
