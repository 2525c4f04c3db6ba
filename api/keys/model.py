"""API keys: drawn, hashed, never stored in the clear.

A key carries 256 bits drawn at random, so a plain SHA-256 hides it: there is nothing to guess,
and a slow hash would only slow every request. This module opens no database.
"""

import re
import secrets
from base64 import b32encode
from hashlib import sha256
from typing import Final

KEY_BYTES: Final = 32
KEY_PATTERN: Final = re.compile(r"bck_[a-z2-7]{52}", re.ASCII)
"""The prefix lets a scanner of leaked secrets find one."""


def new_key() -> str:
    """Draw a key."""
    text = b32encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")
    return f"bck_{text.rstrip('=').lower()}"


def key_digest(key: str) -> bytes:
    """Give what is stored in place of a key."""
    return sha256(key.encode("ascii")).digest()
