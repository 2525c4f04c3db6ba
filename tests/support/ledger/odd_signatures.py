"""Signatures that Ed25519 libraries disagree about, made on purpose.

A key here is a known scalar times the base point, plus a known point of small order; a signature
may add such a point to its R as well. Without cofactor the equation then holds exactly where the
small parts cancel, and with it always. Everything comes from fixed numbers.
"""

from dataclasses import dataclass
from hashlib import sha512
from typing import Final

import nacl.bindings as sodium

from ledger.primitives.keys import PublicKey, Seed, Signature

PRIME: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
COFACTOR: Final = 8
NONCE: Final = 12_345
_SIGN_BIT: Final = 1 << 255
_ORDER_EIGHT: Final = bytes.fromhex(
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
)
_IDENTITY: Final = (1).to_bytes(32, "little")


def _multiples() -> tuple[bytes, ...]:
    found = [_IDENTITY]
    while len(found) < COFACTOR:
        found.append(sodium.crypto_core_ed25519_add(found[-1], _ORDER_EIGHT))
    return tuple(found)


SMALL: Final = _multiples()
"""The points of small order: at i the i-fold of one of order eight, in its canonical spelling."""


def spell(y: int, *, odd: bool = False) -> bytes:
    """Write a point as it must not be written: any y, and the sign bit where there is no sign."""
    return (y | _SIGN_BIT * odd).to_bytes(32, "little")


MISSPELT: Final = {
    "1 with a sign": (spell(1, odd=True), 0),
    "p - 1 with a sign": (spell(PRIME - 1, odd=True), 4),
    "p + 1": (spell(PRIME + 1), 0),
    "p + 1 with a sign": (spell(PRIME + 1, odd=True), 0),
    "p": (spell(PRIME), 2),
    "p with a sign": (spell(PRIME, odd=True), 6),
}
"""Spellings that are not canonical, each with its place in `SMALL`. Of no other point that is
spelled so does anybody know a scalar to sign with."""


def _point(scalar: int, part: int) -> bytes:
    if scalar % ORDER == 0:
        return SMALL[part % COFACTOR]
    prime = sodium.crypto_scalarmult_ed25519_base_noclamp((scalar % ORDER).to_bytes(32, "little"))
    return sodium.crypto_core_ed25519_add(prime, SMALL[part % COFACTOR])


@dataclass(frozen=True)
class OddKey:
    """A key `scalar` times the base point plus `SMALL[part]`, under its spelling if it has one."""

    scalar: int
    part: int = 0
    spelling: bytes = b""

    @classmethod
    def of(cls, seed: Seed) -> "OddKey":
        """Take an honest key's scalar, as RFC 8032 §5.1.5 derives it."""
        half = bytearray(sha512(seed).digest()[:32])
        half[0] &= 248
        half[31] = half[31] & 127 | 64
        return cls(int.from_bytes(half, "little"))

    @property
    def public(self) -> PublicKey:
        return PublicKey(self.spelling or _point(self.scalar, self.part))

    def sign(
        self, message: bytes, *, nonce: int = NONCE, part: int = 0, spelling: bytes = b""
    ) -> Signature:
        """Sign with an R of `nonce` times the base point plus `SMALL[part]`."""
        mixed = spelling or _point(nonce, part)
        answer = (nonce + self._challenge(mixed, message) * self.scalar) % ORDER
        return Signature(mixed + answer.to_bytes(32, "little"))

    def cancels(self, message: bytes, signature: Signature, part: int = 0) -> bool:
        """Tell whether the small parts of R and of h times the key add up to nothing."""
        return (part + self._challenge(signature[:32], message) * self.part) % COFACTOR == 0

    def sign_exactly(self, message: bytes, *, part: int = 0) -> Signature:
        """Sign with the first nonce for which the equation holds without cofactor."""
        nonce = NONCE
        while not self.cancels(message, self.sign(message, nonce=nonce, part=part), part):
            nonce += 1
        return self.sign(message, nonce=nonce, part=part)

    def _challenge(self, point: bytes, message: bytes) -> int:
        hashed = sha512(point + self.public + message).digest()
        return int.from_bytes(hashed, "little") % ORDER


def wider(signature: Signature, times: int = 1) -> Signature:
    """Add the group's order to S: the same scalar, spelled otherwise."""
    answer = int.from_bytes(signature[32:], "little") + times * ORDER
    return Signature(signature[:32] + answer.to_bytes(32, "little"))
