"""What the service knows of a person: plain values, without a connection and without HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

from api.access.roles import Role


class UserState(StrEnum):
    """Where a user stands."""

    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"


class UserEvent(StrEnum):
    """What may happen to a user."""

    ACTIVATE = "activate"
    SUSPEND = "suspend"
    REACTIVATE = "reactivate"


class LoginMethod(StrEnum):
    """By what a session began."""

    INVITATION = "invitation"
    PASSWORD = "password"  # noqa: S105 - a word, not a password
    WALLET = "wallet"


class LinkState(StrEnum):
    """Where a wallet's link stands."""

    PENDING = "pending"
    PROVEN = "proven"
    """Signed for from elsewhere; it counts once the person says that it is theirs."""
    ACTIVE = "active"
    REMOVED = "removed"
    REPLACED = "replaced"
    """Closed by a rebind at the office."""


class NoticeKind(StrEnum):
    """What a person is told the next time that one of their devices looks."""

    REINVITED = "reinvited"
    REBIND_ASKED = "rebind_asked"
    REBOUND = "rebound"
    WALLET_LINKED = "wallet_linked"
    SESSION_REUSED = "session_reused"


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """What is sealed of a person: this, and nothing else personal, is kept."""

    name: str
    card_number: str = ""
    login_name: str = ""
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person as the office sees them."""

    union_id: str
    id: str
    state: UserState
    token_version: int
    profile: Profile
    staff_code: str
    roles: Mapping[Role, str]
    """The union or merchant at which each role is held."""
    created_ms: int
    activated_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a login compares with; never shown, never logged."""

    union_id: str
    user_id: str
    state: UserState
    password_hash: str | None
    pin_hash: str | None
