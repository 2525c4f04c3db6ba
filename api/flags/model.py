"""A flag in words. It shows, tells the operations channel, and lowers a payer's limit; no more.

To shut somebody out is an officer's act (`suspend`). A flag stands until a person has released it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Detector(StrEnum):
    """Who raises flags: one pure function each, in `api.flags.detectors`."""

    FAILED_VALIDATIONS = "failed_validations"
    ATTEMPT_RATE = "attempt_rate"
    CASHIER_REFUNDS = "cashier_refunds"
    DEVICE_COUPONS = "device_coupons"
    ADDRESS_SHARED = "address_shared"
    OUTSIDE_HOURS = "outside_hours"
    CALLER_ERRORS = "caller_errors"
    SETTLEMENT_DRIFT = "settlement_drift"


class FlagState(StrEnum):
    """What a person has made of it."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    """It was as it looked. It stands on."""
    RELEASED = "released"
    """It is over, or never was."""


class FlagEvent(StrEnum):
    """What a person may do with a flag."""

    CONFIRM = "confirm"
    RELEASE = "release"


class NoteKind(StrEnum):
    """What is noted for detectors because nothing else keeps it."""

    ATTEMPT_REFUSED = "attempt_refused"
    """A payment attempt past its payer's limit; the reference is the transaction."""
    CALLER_ERROR = "caller_error"
    """A request of a key or till that was wrong; the reference is its code."""
    COUPON_USED = "coupon_used"
    """A device used a coupon; the reference is its id."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened in a window: where, by whom, and about what.

    `merchant_id` is the union's own id for what is no shop's.
    """

    at_ms: int
    merchant_id: str
    subject: str
    ref: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBooks:
    """An order's money by its own row, and by the payments that stand for it; all of one order."""

    at_ms: int
    merchant_id: str
    order_id: str
    amount_sen: int
    amount_units: int
    booked_units: int
    """What the order says has come in and stayed."""
    came_units: int
    """What its payments on the chain say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """What a detector found: `score` is what it measured, `evidence` what it measured it by."""

    detector: Detector
    merchant_id: str
    subject: str
    score: int
    evidence: tuple[str, ...]
    explanation_en: str
    explanation_ms: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A finding that somebody looks at."""

    id: str
    union_id: str
    merchant_id: str
    detector: Detector
    subject: str
    state: FlagState
    score: int
    evidence: tuple[str, ...]
    explanation_en: str
    explanation_ms: str
    raised_ms: int
    last_ms: int
    decided_by: str = ""
    reason: str = ""
    decided_ms: int | None = None
