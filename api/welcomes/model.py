"""A welcome in words: once for each person that a union ever knew, whatever wallets come after."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

WELCOME_UNITS: Final = 10_000
"""0.010000 BILL: a hundred fees."""


class WelcomeState(StrEnum):
    """How far a welcome has come."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Nothing was sent; the next wallet that the person links asks anew."""


class WelcomeEvent(StrEnum):
    """What may happen to a welcome."""

    SIGNED = "signed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    LAPSED = "lapsed"
    ASK = "ask"
    """Its person has linked another wallet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The first fees of one person. `student` is a hash of their card that outlives the person.

    `created_ms` is when it was last asked for: a budget counts it in the days after that.
    """

    union_id: str
    student: str
    id: str
    user_id: str
    units: int
    state: WelcomeState
    created_ms: int
    tx_hash: bytes | None = None
    code: str = ""
    ended_ms: int | None = None

    def changed(self, **changes: object) -> "Welcome":
        """Give the welcome with members changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
