"""Sealed columns: AES-256-GCM under a data key, bound to the place where they stand.

The associated data names table, column, owner and the key's version, so that a sealed value that
is carried to another column or another person does not open. A data key is drawn at random for
each owner and stored wrapped by a master key that is no part of the database.

    sealed value   version (2 bytes) || nonce (12) || ciphertext and tag
    wrapped key    master's number (2 bytes) || nonce (12) || ciphertext and tag
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = 2 + NONCE_BYTES


class Unsealable(ValueError):
    """Bytes that this key, at this place, does not open: carried, changed, or of another key."""


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """One owner's key. `owner` is a user, a merchant or a union; `version` counts its keys."""

    owner: str
    version: int
    key: bytes

    def seal(self, table: str, column: str, plain: bytes) -> bytes:
        """Seal a value for one column of one table."""
        return _encrypt(self.key, self.version, self._place(table, column), plain)

    def unseal(self, table: str, column: str, sealed: bytes) -> bytes:
        """Open what `seal` has made; raise `Unsealable`."""
        version, plain = _decrypt({self.version: self.key}, self._place(table, column), sealed)
        assert version == self.version
        return plain

    def _place(self, table: str, column: str) -> bytes:
        return f"{table}|{column}|{self.owner}|{self.version}".encode()


def draw_data_key(owner: str, version: int = 1) -> DataKey:
    """Draw a new key for an owner."""
    return DataKey(owner, version, os.urandom(KEY_BYTES))


def wrap(masters: Mapping[int, bytes], key: DataKey) -> bytes:
    """Wrap a data key under the newest master key."""
    number = max(masters)
    return _encrypt(masters[number], number, _wrapped_place(key.owner, key.version), key.key)


def unwrap(masters: Mapping[int, bytes], owner: str, version: int, wrapped: bytes) -> DataKey:
    """Open a wrapped data key; raise `Unsealable`."""
    _, key = _decrypt(masters, _wrapped_place(owner, version), wrapped)
    return DataKey(owner, version, key)


def master_of(wrapped: bytes) -> int:
    """Tell which master key wraps a data key."""
    return int.from_bytes(wrapped[:2], "big")


def _wrapped_place(owner: str, version: int) -> bytes:
    return f"data_keys|wrapped|{owner}|{version}".encode()


def _encrypt(key: bytes, number: int, place: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    return number.to_bytes(2, "big") + nonce + AESGCM(key).encrypt(nonce, plain, place)


def _decrypt(keys: Mapping[int, bytes], place: bytes, sealed: bytes) -> tuple[int, bytes]:
    number, nonce = int.from_bytes(sealed[:2], "big"), sealed[2:_HEAD_BYTES]
    if len(sealed) <= _HEAD_BYTES or number not in keys:
        raise Unsealable(f"sealed under key {number}, which is not here")
    try:
        return number, AESGCM(keys[number]).decrypt(nonce, sealed[_HEAD_BYTES:], place)
    except InvalidTag:
        raise Unsealable("the seal is broken, or belongs to another place") from None
