"""A signing request in words: what is wanted, how far it has come, and how it ended."""

from dataclasses import dataclass, replace
from enum import StrEnum

from api.payments.observation import FinalTransaction
from api.signing.wire import SigningOrder
from ledger.primitives.keys import Address


class SigningState(StrEnum):
    """How far a request has come."""

    OPEN = "open"
    LEASED = "leased"
    SIGNED = "signed"
    """Its bytes are here; no node has taken them yet."""
    SUBMITTED = "submitted"
    FINAL = "final"
    """The chain has them: they took effect, or `code` says why they did not."""
    REFUSED = "refused"
    """The signer signs nothing; `code` is its word."""
    EXPIRED = "expired"
    """Nobody signed in time, or what was signed came into no block in time."""


class SigningEvent(StrEnum):
    """What may happen to a request."""

    LEASE = "lease"
    SIGN = "sign"
    REFUSE = "refuse"
    SUBMIT = "submit"
    SETTLE = "settle"
    LAPSE = "lapse"
    """The last block that could have taken its bytes is settled without them."""
    GIVE_UP = "give_up"
    """It is wanted no more, or nobody signed in time."""


class SigningOutcome(StrEnum):
    """How a request ended, for whoever asked for it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The chain took the fee and refused the rest."""
    REFUSED = "refused"
    LAPSED = "lapsed"
    """Its bytes can't take effect any more: it may be asked for anew."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningRequest:
    """One wish: `what` to sign, for the thing `ref_id` of a merchant or a union."""

    owner_id: str
    id: str
    account: Address
    what: SigningOrder
    ref_id: str
    state: SigningState
    created_ms: int
    expires_ms: int
    leased_until_ms: int = 0
    raw: bytes | None = None
    tx_hash: bytes | None = None
    nonce: int | None = None
    valid_until_height: int | None = None
    submitted_ms: int | None = None
    ended_ms: int | None = None
    code: str = ""
    detail: str = ""

    def changed(self, **changes: object) -> "SigningRequest":
        """Give the request with members changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SigningEnd:
    """How a request ended; `final` is the transaction, if the chain has it."""

    outcome: SigningOutcome
    code: str = ""
    detail: str = ""
    final: FinalTransaction | None = None
