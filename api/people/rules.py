"""The rules of people: pure, over plain values.

state      event        next
invited    activate     active
active     activate     active      the office has invited anew: a lost phone, a forgotten word
active     suspend      suspended
suspended  reactivate   active
"""

import itertools
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from api.access.roles import Role
from api.people.model import LoginMethod, UserEvent, UserState

TRANSITIONS: Final[Mapping[tuple[UserState, UserEvent], UserState]] = {
    (UserState.INVITED, UserEvent.ACTIVATE): UserState.ACTIVE,
    (UserState.ACTIVE, UserEvent.ACTIVATE): UserState.ACTIVE,
    (UserState.ACTIVE, UserEvent.SUSPEND): UserState.SUSPENDED,
    (UserState.SUSPENDED, UserEvent.REACTIVATE): UserState.ACTIVE,
}

INVITATION_MS: Final = 7 * 86_400_000
WALLETS_MAX: Final = 5
SESSION_MS: Final[Mapping[LoginMethod, int]] = {
    LoginMethod.WALLET: 30 * 86_400_000,
    LoginMethod.INVITATION: 86_400_000,
    LoginMethod.PASSWORD: 12 * 3_600_000,
}
"""How long a session lives however often it is renewed: a shift at a desk, a month on a phone."""

AT_MERCHANT: Final = frozenset({Role.CASHIER, Role.MANAGER})
AT_EITHER: Final = frozenset({Role.FINANCE})
WITHOUT_APPROVAL: Final = frozenset({Role.STUDENT})
"""Roles that one officer gives alone: what they open is the person's own."""

PASSWORD_CHARS_LEAST: Final = 12
PASSWORD_CHARS_MOST: Final = 128
_DIFFERENT_LEAST: Final = 6
PIN_DIGITS: Final = 6
_PIN: Final = re.compile(r"[0-9]{6}", re.ASCII)

_GUESSED_FIRST: Final = (
    "password", "passphrase", "kata laluan", "katalaluan", "rahsia", "secret", "welcome",
    "qwerty", "asdfgh", "zxcvbn", "iloveyou", "sayang", "letmein", "admin", "manager", "student",
    "billcoin", "milk", "susu", "dairy", "tenusu", "kedai", "campus", "kampus", "monkey",
    "dragon", "football", "princess", "sunshine", "malaysia", "merdeka", "abc", "abcdef", "test",
)  # fmt: skip
"""What guessers try first; it may stand in a password, but must not be all of it."""


def next_state(state: UserState, event: UserEvent) -> UserState | None:
    """Give the state after an event; None if it may not happen now."""
    return TRANSITIONS.get((state, event))


def place_fault(role: Role, place: str, union_id: str) -> str:
    """Say why a role can't be held at a place (the union, or a merchant of it); empty if it can."""
    of_union = place == union_id
    if role in AT_MERCHANT and of_union:
        return f"{role} is a role at a merchant: name which"
    if not of_union and role not in AT_MERCHANT | AT_EITHER:
        return f"{role} is a role of the whole union: name no merchant"
    return ""


def password_fault(password: str, about: tuple[str, ...] = ()) -> str:
    """Say why a password is not taken; empty if it is. `about` are words of this person.

    Length is what guards it (NIST SP 800-63B §5.1.1.2): no rule asks for signs or capitals.
    """
    text = unicodedata.normalize("NFKC", password)
    if len(text) < PASSWORD_CHARS_LEAST:
        return f"use at least {PASSWORD_CHARS_LEAST} characters: a few words are easy to keep"
    if len(password) > PASSWORD_CHARS_MOST:
        return f"use at most {PASSWORD_CHARS_MOST} characters"
    if not text.isprintable():
        return "use characters that can be seen"
    if len(set(text.casefold())) < _DIFFERENT_LEAST:
        return "use more different characters"
    if not _rest(text.casefold(), about):
        return "it is one of the first that are guessed: add words of your own"
    return ""


def _rest(text: str, about: tuple[str, ...]) -> str:
    """Give what is left when everything that guessers know is taken out: words, runs, repeats."""
    words = sorted({word.casefold() for word in about if len(word) > 2} | set(_GUESSED_FIRST))
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    letters = re.sub(r"[\W\d_]+", "", text)
    # What stands in a row of the alphabet or of the keyboard, or is one letter again and again.
    kept = [b for a, b in zip(" " + letters, letters, strict=False) if abs(ord(b) - ord(a)) > 1]
    return "".join(kept) if len(kept) >= _DIFFERENT_LEAST else ""


def pin_fault(pin: str) -> str:
    """Say why a PIN is not taken; empty if it is."""
    if _PIN.fullmatch(pin) is None:
        return f"a PIN has {PIN_DIGITS} digits"
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    if len(steps) == 1 or pin[:3] == pin[3:] or pin[:2] * 3 == pin:
        return "it is one of the first that are guessed"
    return ""


def may_link(links_active: int, method: LoginMethod) -> str:
    """Say why a session may not link one more wallet; empty if it may.

    Whoever was let in by the office alone, and has a wallet already, needs a rebind: one officer
    must not come to somebody's points by inviting himself.
    """
    if links_active >= WALLETS_MAX:
        return f"you have {WALLETS_MAX} wallets: remove one first"
    if links_active and method is not LoginMethod.WALLET:
        return "log in with a wallet that is linked already, or ask the office for a rebind"
    return ""
