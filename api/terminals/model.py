"""A till and who works at it: plain values."""

from dataclasses import dataclass
from enum import StrEnum


class TerminalState(StrEnum):
    """Where a till stands."""

    PAIRING = "pairing"
    ACTIVE = "active"
    LOCKED = "locked"
    REVOKED = "revoked"


class TerminalEvent(StrEnum):
    """What may happen to a till."""

    CONFIRM = "confirm"
    LOCK = "lock"
    UNLOCK = "unlock"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalRecord:
    """A till as its merchant's manager sees it."""

    union_id: str
    merchant_id: str
    id: str
    label: str
    letter: str
    """The letter of its tickets, as in A-27."""
    state: TerminalState
    token_version: int
    commitment: bytes | None
    server_nonce: bytes | None
    public_key: bytes | None
    match: str
    """The four digits that both screens must show, once the till has shown its key."""
    pairing_expires_ms: int
    created_ms: int
    paired_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CashierSession:
    """Somebody's shift at a till."""

    merchant_id: str
    id: str
    terminal_id: str
    union_id: str
    user_id: str
    opened_ms: int
    ended_ms: int | None
    stepped_up_sen: int
    """What was refunded in it by a manager's PIN."""
