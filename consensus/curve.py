"""The curve edwards25519, as much of it as ECVRF needs, on libsodium (RFC 8032, RFC 9381).

All arithmetic is libsodium's, and whatever touches a secret runs in constant time. Two of its
habits shape this module. Its scalar multiplications refuse points outside the prime-order group
and results that are the neutral element; its additions take any point of the curve. So the
cofactor is cleared by three doublings, and a neutral element is never asked for.
"""

from typing import Final, NewType

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

Point = NewType("Point", bytes)
"""The encoding of a point of the curve, 32 bytes, for which `is_point` holds."""
Scalar = NewType("Scalar", bytes)
"""A number of 32 bytes, little-endian."""

_FIELD: Final = 2**255 - 19
ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""How many points the prime-order group has."""
NEUTRAL: Final = Point((1).to_bytes(32, "little"))
_ZERO: Final = Scalar(bytes(32))
_EIGHTH: Final = Scalar(pow(8, -1, ORDER).to_bytes(32, "little"))
_SIGN: Final = 1 << 255


def clamp(half: bytes) -> Scalar:
    """Make the secret scalar of RFC 8032."""
    return Scalar(bytes([half[0] & 248]) + half[1:31] + bytes([half[31] & 127 | 64]))


def reduce_wide(wide: bytes) -> Scalar:
    """Take 64 bytes, little-endian, modulo the order."""
    return Scalar(sodium.crypto_core_ed25519_scalar_reduce(wide))


def is_point(raw: bytes) -> bool:
    """Tell whether bytes decode as RFC 8032 demands: canonical, and on the curve.

    libsodium takes a y of the field's size or more, and a sign on x = 0; the RFC takes neither.
    """
    y = int.from_bytes(raw, "little")
    if y & _SIGN and y - _SIGN in (1, _FIELD - 1):
        return False
    if y & ~_SIGN >= _FIELD:
        return False
    try:
        sodium.crypto_core_ed25519_add(raw, NEUTRAL)
    except CryptoError:
        return False
    return True


def plus(one: Point, other: Point) -> Point:
    """Add any two points of the curve."""
    return Point(sodium.crypto_core_ed25519_add(one, other))


def minus(one: Point, other: Point) -> Point:
    """Subtract the second of any two points of the curve."""
    return Point(sodium.crypto_core_ed25519_sub(one, other))


def times_eight(point: Point) -> Point:
    """Clear the cofactor of any point of the curve."""
    for _ in range(3):
        point = plus(point, point)
    return point


def times_generator(scalar: Scalar) -> Point:
    """Multiply the generator by a scalar below the order."""
    if scalar == _ZERO:
        return NEUTRAL
    return Point(sodium.crypto_scalarmult_ed25519_base_noclamp(scalar))


def times(scalar: Scalar, point: Point) -> Point:
    """Multiply a point of prime order, or the neutral element, by a scalar below the order."""
    if scalar == _ZERO or point == NEUTRAL:
        return NEUTRAL
    return Point(sodium.crypto_scalarmult_ed25519_noclamp(scalar, point))


def times_any(scalar: Scalar, point: Point) -> Point:
    """Multiply any point of the curve by a scalar below the order.

    A point is the sum of one of prime order and one whose order divides 8. The first is an
    eighth, modulo the order, of eight times the point; the second is what remains.
    """
    try:
        return times(scalar, point)
    except CryptoError:
        pass  # Not of prime order. No honest prover makes such a point, so this may be slow.
    prime = times(_EIGHTH, times_eight(point))
    small = minus(point, prime)
    product = times(scalar, prime)
    for _ in range(scalar[0] % 8):
        product = plus(product, small)
    return product
