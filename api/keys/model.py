"""API keys: drawn, hashed, never stored in the clear.

A secret carries 256 bits drawn at random, so a plain SHA-256 hides it: there is nothing to guess,
and a slow hash would only slow every request. Its text says whether it is for a chain of
development or for a live one, so that neither is ever sent to the other. This module opens no
database.
"""

import re
import secrets
from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from ulid import ULID

KEY_BYTES: Final = 32
KEY_PATTERN: Final = re.compile(r"bck_(test|live)_[a-z2-7]{52}", re.ASCII)
"""The prefix lets a scanner of leaked secrets find one."""
HINT_CHARS: Final = 4
KEYS_MAX: Final = 100
"""How many keys that are not revoked a merchant has at most."""
OVERLAP_MS: Final = 24 * 3_600_000
"""How long a secret lives on after it was exchanged."""
EPOCH: Final = "keys"


@dataclass(frozen=True, slots=True)
class KeySecret:
    """One secret of a key, as far as it is known: `until_ms` is when it ends."""

    hint: str
    created_ms: int
    until_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key of a merchant, with those of its secrets that still open a door, newest first."""

    id: str
    merchant_id: str
    name: str
    scopes: tuple[str, ...]
    created_ms: int
    revoked_ms: int | None
    secrets: tuple[KeySecret, ...]


def new_key(*, livemode: bool = False) -> str:
    """Draw a secret."""
    text = b32encode(secrets.token_bytes(KEY_BYTES)).decode("ascii").rstrip("=").lower()
    return f"bck_{'live' if livemode else 'test'}_{text}"


def is_live(key: str) -> bool:
    """Tell by a secret's text whether it is for a live chain."""
    return key.startswith("bck_live_")


def key_digest(key: str) -> bytes:
    """Give what is stored in place of a secret."""
    return sha256(key.encode("ascii")).digest()


def id_of_configured(digest: bytes) -> str:
    """Give the id of a key that a configuration names by its digest: the same at every start."""
    return str(ULID(digest[:16]))
