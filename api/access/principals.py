"""Who makes a request: one type a kind, plain values.

A credential is read once a request and gives one of these; routes see no headers. What a principal
may do stands in `api.access.table` alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from api.access.roles import Role

KEYS_LETTER: Final = "A"
"""On the tickets of what a merchant's program sells."""


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody in particular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    """A partner's or a till's program with a merchant's key."""

    key_id: str
    merchant_id: str
    scopes: frozenset[str]
    livemode: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who has logged in. `roles` tells of each role the union or merchant it holds at."""

    user_id: str
    union_id: str
    roles: Mapping[Role, str]
    session_id: str
    stepped_up_until_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A paired till; `cashier_id` is who has signed in at it, or nothing.

    `letter` stands on the tickets of what it sells.

    `stepped_up_by` is the manager whose PIN covers small refunds for a few minutes.
    """

    terminal_id: str
    merchant_id: str
    union_id: str
    token_version: int
    letter: str = KEYS_LETTER
    cashier_id: str = ""
    cashier_session_id: str = ""
    stepped_up_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerKey:
    """The process that signs for one account."""

    account: bytes


Principal = Anonymous | KeyHolder | Person | Terminal | SignerKey


def letter_of(principal: Principal) -> str:
    """Give the letter that stands on the tickets of what a principal sells."""
    return principal.letter if isinstance(principal, Terminal) else KEYS_LETTER


def name_of(principal: Principal) -> str:
    """Name a principal in one word: for idempotency keys, quotas and logs."""
    match principal:
        case KeyHolder(key_id=key_id):
            return f"key:{key_id}"
        case Person(user_id=user_id):
            return f"user:{user_id}"
        case Terminal(terminal_id=terminal_id):
            return f"terminal:{terminal_id}"
        case SignerKey(account=account):
            return f"signer:{account.hex()}"
    return "anonymous"
