"""Refutations and questions that the law refuses."""

from ledger.errors.base import Refused


class DoubtRefused(Refused):
    """A doubt that does not stand."""

    code = "doubt_refused"


class UnprovenLot(DoubtRefused):
    """No window stands behind the lot."""

    code = "unproven_lot"
    text = "no window proved lot {lot}"


class WindowOver(DoubtRefused):
    """The lot may not be doubted any more."""

    code = "window_over"
    text = "lot {lot} could be contested until {until_ms} ms, it is {time_ms} ms"


class UnknownInterval(DoubtRefused):
    """The lot has no such interval."""

    code = "unknown_interval"
    text = "lot {lot} has {count} intervals, none has number {interval}"


class VoidInterval(DoubtRefused):
    """The interval is void already."""

    code = "void_interval"
    text = "interval {interval} of lot {lot} is void already"


class UnclaimedReading(DoubtRefused):
    """The lot's window did not claim such a reading."""

    code = "unclaimed_reading"
    text = "the window of lot {lot} claims no reading {seq} of boot {boot} of device {device}"


class NothingRefuted(DoubtRefused):
    """What is shown does not speak against the interval."""

    code = "nothing_refuted"
    text = "what is shown of device {device} does not speak against interval {interval}"


class OpenQuestion(DoubtRefused):
    """The same was asked, and the answer is due."""

    code = "open_question"
    text = "reading {seq} of boot {boot} of device {device} was asked for already"


class TooManyQuestions(DoubtRefused):
    """As many questions about the lot are open as may be."""

    code = "too_many_questions"
    text = "{most} questions about lot {lot} are open, which is the most"


class UnknownQuestion(DoubtRefused):
    """Nobody asked, or it is answered."""

    code = "unknown_question"
    text = "no question about reading {seq} of boot {boot} of device {device} is open"


class NoAnswer(DoubtRefused):
    """What is shown is not what was asked for, and does not say that there is none."""

    code = "no_answer"
    text = "what is shown does not answer for reading {seq} of boot {boot} of device {device}"


class AnswerPending(DoubtRefused):
    """There is time to answer yet."""

    code = "answer_pending"
    text = "an answer may come until {until_ms} ms, it is {time_ms} ms"


class BoundBond(DoubtRefused):
    """The bond answers for what was minted or signed lately."""

    code = "bound_bond"
    text = "the bond is {bond} units, {needed} of them are bound"
