"""Slow hashes of passwords and PINs: argon2id, peppered, few at a time, off the event loop.

A PIN has a million values: whoever copied the database would try them all in a night. So what is
hashed is an HMAC of it under a key that is a file beside the configuration (`pin.key`), and of
whose it is. A login that names nobody is hashed like any other: it takes as long.
"""

import asyncio
import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Final, TypeVar

from nacl.exceptions import InvalidkeyError
from nacl.pwhash import argon2id

from api.errors import Unavailable
from api.vault.files import subkey

OPERATIONS: Final = 2
MEMORY_BYTES: Final = 19 * 1024 * 1024
"""OWASP's least for argon2id with two passes: 50 ms of one core."""
AT_ONCE_MAX: Final = 2
WAITING_MAX: Final = 64

T = TypeVar("T")


class SlowHasher:
    """Hashes and compares; of those that wait, no more than `WAITING_MAX`."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0
        self._nobody = _hash(self._peppered("nobody", "", ""))

    async def hash(self, use: str, user_id: str, secret: str) -> str:
        """Hash a secret of a user for one use (`password`, `pin`)."""
        return await self._in_turn(_hash, self._peppered(use, user_id, secret))

    async def matches(self, stored: str | None, use: str, user_id: str, secret: str) -> bool:
        """Tell whether a secret is the one that was hashed; False, as slowly, for nobody's."""
        text = self._peppered(use, user_id, secret)
        right = await self._in_turn(_verify, stored or self._nobody, text)
        return right and stored is not None

    def _peppered(self, use: str, user_id: str, secret: str) -> bytes:
        text = f"{user_id}|{secret}".encode()
        return hmac.digest(subkey(self._pepper, use), text, sha256)

    async def _in_turn(self, work: Callable[..., T], *arguments: object) -> T:
        if self._waiting >= WAITING_MAX:
            raise Unavailable("many log in at once", code="OVERLOADED", retry_after_s=2)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._waiting -= 1


def _hash(text: bytes) -> str:
    raw: bytes = argon2id.str(text, opslimit=OPERATIONS, memlimit=MEMORY_BYTES)
    return raw.decode("ascii")


def _verify(stored: str, text: bytes) -> bool:
    try:
        return bool(argon2id.verify(stored.encode("ascii"), text))
    except InvalidkeyError:
        return False
