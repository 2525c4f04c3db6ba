"""Real Ed25519, each signature worked out once for all nodes of a simulated network.

In the field every validator verifies every vote; here they share one process, and a hundred nodes
would verify the same signature a hundred times. `remember_signatures` puts a memory in front of
libsodium at the one seam where the product calls it (`ledger.primitives.keys.sodium`). Invariant:
the answers are libsodium's own, to the bit; only their price changes.
"""

from typing import Final

import nacl.bindings as sodium
from nacl.exceptions import BadSignatureError, CryptoError

import ledger.primitives.keys as seam

REMEMBERED_MAX: Final = 400_000
"""Answers kept; past it all are forgotten and worked out anew."""


class Remembering:
    """What `ledger.primitives.keys` uses of libsodium, with a memory."""

    def __init__(self) -> None:
        self._signed: dict[tuple[bytes, bytes], bytes] = {}
        self._opened: dict[tuple[bytes, bytes], bool] = {}

    def __getattr__(self, name: str) -> object:
        """Leave everything else to libsodium."""
        return getattr(sodium, name)

    def crypto_sign(self, message: bytes, secret: bytes) -> bytes:
        """Sign; the verdict over what was just signed is known."""
        slot = (secret, message)
        signed = self._signed.get(slot)
        if signed is None:
            signed = sodium.crypto_sign(message, secret)
            self._make_room()
            self._signed[slot] = signed
            # The second half of a libsodium secret key is its public key.
            self._opened[secret[32:], signed] = True
        return signed

    def crypto_sign_open(self, signed: bytes, public: bytes) -> bytes:
        """Verify; raise `BadSignatureError` as libsodium does."""
        slot = (public, signed)
        good = self._opened.get(slot)
        if good is None:
            try:
                sodium.crypto_sign_open(signed, public)
                good = True
            except (CryptoError, ValueError):
                good = False
            self._make_room()
            self._opened[slot] = good
        if not good:
            raise BadSignatureError
        return signed[64:]

    def _make_room(self) -> None:
        if len(self._opened) >= REMEMBERED_MAX:
            self._opened.clear()
            self._signed.clear()


def remember_signatures() -> None:
    """Put the memory in place, once a process."""
    if not isinstance(vars(seam)["sodium"], Remembering):
        vars(seam)["sodium"] = Remembering()
