"""A top-up in words: who paid how much cash, what they get for it, and how far it has come."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final


class TopUpState(StrEnum):
    """How far a top-up has come. The cash is in the drawer in all of them but the last."""

    PENDING = "pending"
    """The signer is asked."""
    SUBMITTED = "submitted"
    """It is signed, and on its way into a block."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Nothing was sent, and nothing will be: the cash goes back."""
    REVERSED = "reversed"
    """The cash went back."""


class TopUpEvent(StrEnum):
    """What may happen to a top-up."""

    SIGNED = "signed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The signer refused it, the chain did, or nobody signed it in time."""
    LAPSED = "lapsed"
    """What was signed came into no block: the signer is asked anew."""
    REVERSE = "reverse"
    """Whoever took the cash gives it back."""


COUNTS: Final = frozenset({TopUpState.PENDING, TopUpState.SUBMITTED, TopUpState.SUCCEEDED})
"""What counts against a person's day."""
PROMISED: Final = frozenset({TopUpState.PENDING, TopUpState.SUBMITTED})
"""What the float still owes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """Cash for BILL, at a price that was locked when the cash came in.

    Whose wallet gets it is told by `user_id` if it is linked, and by its blind index in any case:
    the address itself stands in the signing request alone, sealed.
    """

    union_id: str
    id: str
    place_id: str
    """The shop whose till took the cash, or the union for its office."""
    terminal_id: str
    taken_by: str
    approved_by: str
    user_id: str | None
    address_index: bytes
    amount_sen: int
    units: int
    price_id: str
    litre_sen: int
    receipt: str
    """The number on the paper that whoever paid was given."""
    state: TopUpState
    created_ms: int
    tx_hash: bytes | None = None
    code: str = ""
    detail: str = ""
    ended_ms: int | None = None

    def changed(self, **changes: object) -> "TopUp":
        """Give the top-up with members changed."""
        return replace(self, **changes)  # type: ignore[arg-type]
