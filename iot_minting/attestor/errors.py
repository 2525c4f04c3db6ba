"""Why an attestor gives no verdict: nothing is signed, and nothing is kept.

Unjudged
+-- UnfitRequest        the body is no request, or too much of one
+-- UnknownAsker        the request is not signed by the key that it names
+-- ForeignAsker        it is signed by another than the line's MMU
+-- WrongBundle         the envelopes are not those of the claim
+-- MissingEnvelopes    envelopes that were only named are not kept here: send them
+-- UnknownLineHere     the chain knows no such line
+-- PassedWindow        the line's claims have gone on, or another one was signed further on
+-- TooHard             the judge did not come to an end in its time
+-- QuotaFull           too many claims of the line, or of its MMU, wait to be minted
+-- NotNow              try again soon
    +-- NodeBehind          our node has not seen the blocks that the claim was built by
    +-- QueueFull           others wait already
    +-- CallerBusy          the MMU has as many requests here as it may
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


class UnknownAsker(Unjudged):
    """A request that its key did not sign: anybody could use up what is done for an MMU."""

    code = "unknown_asker"
    status = HTTPStatus.FORBIDDEN

    def __init__(self, asker: bytes) -> None:
        super().__init__(
            f"the signature is not that of key {asker.hex()} over this claim and height on this "
            "chain: sign the request with the key of the line's MMU"
        )


class ForeignAsker(Unjudged):
    """A request about another MMU's line."""

    code = "foreign_asker"
    status = HTTPStatus.FORBIDDEN

    def __init__(self, asker: bytes, line: bytes, mmu: bytes) -> None:
        super().__init__(
            f"address {asker.hex()} asks for line {line.hex()}, which is of MMU {mmu.hex()}: its "
            "MMU's gateway must ask"
        )


class WrongBundle(Unjudged):
    """Envelopes that are not those of the claim's root: they say nothing of it either way."""

    code = "wrong_bundle"


class MissingEnvelopes(Unjudged):
    """Named envelopes that are not kept here, as (device, boot, seq); at most the first 1,000."""

    code = "missing_envelopes"
    status = HTTPStatus.CONFLICT

    def __init__(self, missing: Sequence[tuple[PublicKey, int, int]]) -> None:
        super().__init__(
            f"{len(missing)} named envelopes are not kept here: send them (see `missing`)"
        )
        self.missing = tuple(missing[:MISSING_SHOWN_MAX])


class UnknownLineHere(Unjudged):
    """The chain knows no such line."""

    code = "unknown_line"
    status = HTTPStatus.NOT_FOUND

    def __init__(self, line: bytes) -> None:
        super().__init__(
            f"there is no line {line.hex()} on this attestor's chain: a regulator registers it"
            " (RegisterLine)"
        )


class PassedWindow(Unjudged):
    """A window that does not begin where the line's final claims end, or before one signed here."""

    code = "passed_window"
    status = HTTPStatus.CONFLICT

    def __init__(self, from_ms: int, through_ms: int) -> None:
        super().__init__(
            f"the window begins at {from_ms} ms, the line's next begins at {through_ms} ms: "
            "build the claim anew from there"
        )


class TooHard(Unjudged):
    """A judgement that did not come to its end in time: cut a shorter window."""

    code = "too_hard"

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"it was not judged within {limit_s:g} s: cut a shorter window")


class QuotaFull(Unjudged):
    """As much of a line, or of its MMU, waits to be minted as may.

    `bound` is its name in `iot_minting.attestor.quotas`.
    """

    code = "quota_full"
    status = HTTPStatus.TOO_MANY_REQUESTS
    retry_s: ClassVar[int] = 60

    def __init__(self, whose: str, kept: str, bound: str, most: int) -> None:
        super().__init__(
            f"{kept} of {whose} wait here to be minted, and {bound} is {most}: mint one that was "
            f"signed, or ask again {self.retry_s} s after the line's claims have gone on"
        )


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
        super().__init__(f"{waiting} requests wait already: ask again in a second")


class CallerBusy(NotNow):
    """One caller has as many requests here as it may."""

    code = "caller_busy"

    def __init__(self, held: int, most: int) -> None:
        super().__init__(
            f"{held} requests of this MMU are here already, and at most {most} are: wait for their"
            " answers"
        )


class StoreFull(NotNow):
    """The home holds as much evidence as it may."""

    code = "store_full"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the evidence kept here has reached {limit} bytes: ask others, until its operator "
            "gives it more room (store_bytes_max)"
        )


class JudgeFailed(NotNow):
    """The judge ended without a verdict."""

    code = "judge_failed"
    status = HTTPStatus.INTERNAL_SERVER_ERROR
