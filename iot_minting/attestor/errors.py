"""Why an attestor gives no verdict: nothing is signed, and nothing is kept.

Unjudged
+-- UnfitRequest        the body is no request, or too much of one
+-- WrongBundle         the envelopes are not those of the claim
+-- MissingEnvelopes    envelopes that were only named are not kept here: send them
+-- UnknownLineHere     the chain knows no such line
+-- PassedWindow        the line's claims have gone on, or another one was signed further on
+-- TooHard             the judge did not come to an end in its time
+-- NotNow              try again soon
    +-- NodeBehind          our node has not seen the blocks that the claim was built by
    +-- QueueFull           others wait already
    +-- StoreFull           no evidence fits into the home
    +-- JudgeFailed         a bug of ours: it is in the log
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, Final

from iot_minting.errors import MintFault
from ledger.primitives.keys import PublicKey

MISSING_SHOWN_MAX: Final = 1_000


class Unjudged(MintFault):
    """No verdict. `status` is HTTP's."""

    code = "unanswered"
    status: ClassVar[HTTPStatus] = HTTPStatus.UNPROCESSABLE_ENTITY


class UnfitRequest(Unjudged):
    """A body that is no canonical request, or brings more than is looked at."""

    code = "bad_request"
    status = HTTPStatus.BAD_REQUEST


class WrongBundle(Unjudged):
    """Envelopes that are not those of the claim's root: they say nothing of it either way."""

    code = "wrong_bundle"


class MissingEnvelopes(Unjudged):
    """Named envelopes that are not kept here, as (device, boot, seq); at most the first 1,000."""

    code = "missing_envelopes"
    status = HTTPStatus.CONFLICT

    def __init__(self, missing: Sequence[tuple[PublicKey, int, int]]) -> None:
        super().__init__(f"{len(missing)} named envelopes are not kept here: send them")
        self.missing = tuple(missing[:MISSING_SHOWN_MAX])


class UnknownLineHere(Unjudged):
    """The chain knows no such line."""

    code = "unknown_line"
    status = HTTPStatus.NOT_FOUND

    def __init__(self, line: bytes) -> None:
        super().__init__(f"there is no line {line.hex()} on this chain")


class PassedWindow(Unjudged):
    """A window that does not begin where the line's final claims end, or before one signed here."""

    code = "passed_window"
    status = HTTPStatus.CONFLICT

    def __init__(self, from_ms: int, through_ms: int) -> None:
        super().__init__(
            f"the window begins at {from_ms} ms, the line's next begins at {through_ms} ms"
        )


class TooHard(Unjudged):
    """A judgement that did not come to its end in time: cut a shorter window."""

    code = "too_hard"

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"it was not judged within {limit_s:g} s: cut a shorter window")


class NotNow(Unjudged):
    """Nothing is wrong with the request: ask again soon."""

    code = "not_now"
    status = HTTPStatus.SERVICE_UNAVAILABLE


class NodeBehind(NotNow):
    """Our node is away, or has not seen the blocks that the claim was built by."""

    code = "node_behind"


class QueueFull(NotNow):
    """As many requests wait as may."""

    code = "queue_full"

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} requests wait already")


class StoreFull(NotNow):
    """The home holds as much evidence as it may."""

    code = "store_full"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the evidence kept here has reached {limit} bytes")


class JudgeFailed(NotNow):
    """The judge ended without a verdict."""

    code = "judge_failed"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
