"""Flags in JSON: what looks odd, which of them are listed, and what a person makes of one."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.amounts import format_time
from api.flags.model import Detector, Flag, FlagState
from api.http.pages import PageQuery
from api.http.scalars import TimeText, UlidText


class FlagView(msgspec.Struct, frozen=True, rename="camel"):
    """Something that looks odd, and what a person has made of it."""

    id: UlidText
    merchant_id: Annotated[UlidText | None, Meta(description="Null for what is the union's.")]
    detector: Detector
    subject: Annotated[
        str,
        Meta(
            description="About whom: `user:`, `terminal:`, `key:`, `session:` or `merchant:` with "
            "an id, or `payer:` with the blind index of an account that nobody has linked."
        ),
    ]
    state: FlagState
    score: Annotated[int, Meta(description="What the detector measured.")]
    evidence: Annotated[list[str], Meta(description="By what: transactions, orders, refunds.")]
    explanation: str
    explanation_ms: str
    raised_at: TimeText
    last_at: Annotated[TimeText, Meta(description="When it was last found anew.")]
    decided_by: UlidText | None
    decided_at: TimeText | None
    reason: str


class FlagsQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which flags are listed."""

    state: FlagState | UnsetType = UNSET
    detector: Detector | UnsetType = UNSET


class FlagDecisionBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Why a flag is confirmed or released."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


def flag_view(flag: Flag) -> FlagView:
    """Present a flag."""
    return FlagView(
        id=flag.id,
        merchant_id=flag.merchant_id or None,
        detector=flag.detector,
        subject=flag.subject,
        state=flag.state,
        score=flag.score,
        evidence=list(flag.evidence),
        explanation=flag.explanation_en,
        explanation_ms=flag.explanation_ms,
        raised_at=format_time(flag.raised_ms),
        last_at=format_time(flag.last_ms),
        decided_by=flag.decided_by or None,
        decided_at=None if flag.decided_ms is None else format_time(flag.decided_ms),
        reason=flag.reason,
    )
