"""Refresh tokens: what a session does with the one that it is shown. Pure but for the first draw.

    union . session . secret . tag

A token is used once; its successor is an HMAC of it, so that the same answer can be given again to
a browser that lost the first one (two tabs, a broken line). Neither is stored: the session keeps
the digests of the current and the previous token. A token of ours that is older than these was
copied by somebody, and ends the session for both. The tag tells a token of ours from an invention,
so that nobody ends a session by making tokens up.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from api.vault.files import subkey

GRACE_MS: Final = 30_000
"""How long the same successor is given again."""
_TOKEN: Final = re.compile(
    r"([0-9A-HJKMNP-TV-Z]{26})\.([0-9A-HJKMNP-TV-Z]{26})\.[\w-]{43}\.([\w-]{43})", re.ASCII
)


class RefreshVerdict(StrEnum):
    """What a session says to a token."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    REUSED = "reused"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The tokens of one session, by their digests."""

    current: bytes
    previous: bytes | None
    rotated_ms: int
    expires_ms: int
    ended: bool


@dataclass(frozen=True, slots=True)
class ReadToken:
    """Where a token of ours belongs."""

    union_id: str
    session_id: str


def first_token(key: bytes, union_id: str, session_id: str) -> str:
    """Draw the token that a session begins with."""
    return _tagged(key, f"{union_id}.{session_id}.{_text(secrets.token_bytes(32))}")


def successor(key: bytes, token: str) -> str:
    """Give the token after this one: always the same."""
    place, _, _ = token.rpartition(".")
    union_id, session_id, _ = place.split(".")
    secret = hmac.digest(subkey(key, "refresh/next"), token.encode("ascii"), sha256)
    return _tagged(key, f"{union_id}.{session_id}.{_text(secret)}")


def read_token(key: bytes, token: str) -> ReadToken | None:
    """Read a token; None if it is none of ours."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    body = token.rpartition(".")[0]
    if not hmac.compare_digest(_tagged(key, body), token):
        return None
    return ReadToken(match[1], match[2])


def token_digest(token: str) -> bytes:
    """Give what is stored in place of a token: it is random, so a plain hash hides it."""
    return sha256(token.encode("ascii")).digest()


def judge(family: Family, digest: bytes, now_ms: int) -> RefreshVerdict:
    """Say what becomes of a session that is shown a token of its own."""
    if family.ended or now_ms >= family.expires_ms:
        return RefreshVerdict.OVER
    if hmac.compare_digest(digest, family.current):
        return RefreshVerdict.ROTATE
    again = family.previous is not None and hmac.compare_digest(digest, family.previous)
    if again and now_ms < family.rotated_ms + GRACE_MS:
        return RefreshVerdict.REPEAT
    return RefreshVerdict.REUSED


def _tagged(key: bytes, body: str) -> str:
    tag = hmac.digest(subkey(key, "refresh/tag"), body.encode("ascii"), sha256)
    return f"{body}.{_text(tag)}"


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii").rstrip("=")
