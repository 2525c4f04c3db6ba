"""Ed25519 as docs/spec/encoding.md §3.1 has it, from that text alone: numbers and a hash.

A second opinion on libsodium, and a lenient verifier to put the text's checks before: `lenient` is
the equation alone, as many libraries have it, and `CHECKS` are what the text adds.
"""

from collections.abc import Callable
from hashlib import sha512
from typing import Final

P: Final = 2**255 - 19
L: Final = 2**252 + 27742317777372353535851937790883648493
D: Final = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int]
NEUTRAL: Final = (0, 1)
SMALL_Y: Final = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""The y of every point of small order, in each of its spellings."""


def unsigned(point: bytes) -> bytes:
    """Clear the sign bit."""
    return point[:31] + bytes([point[31] & 127])


CHECKS: Final[dict[str, Callable[[bytes, bytes], bool]]] = {
    "S is below the order": lambda key, signature: int.from_bytes(signature[32:], "little") < L,
    "R is not of small order": lambda key, signature: unsigned(signature[:32]) not in SMALL_Y,
    "the key is not of small order": lambda key, signature: unsigned(key) not in SMALL_Y,
    "the key is canonical": lambda key, signature: int.from_bytes(unsigned(key), "little") < P,
}
"""Each takes key and signature."""


def recover(spelling: bytes) -> Point | None:
    """Decode a point, its y modulo P; give None if there is none."""
    number = int.from_bytes(spelling, "little")
    y, odd = number % 2**255 % P, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P:
        return None
    return (-x % P if x & 1 != odd else x), y


def add(one: Point, other: Point) -> Point:
    (a, b), (c, d) = one, other
    cross = D * a * b * c * d
    x = (a * d + b * c) * pow(1 + cross, -1, P)
    y = (b * d + a * c) * pow(1 - cross, -1, P)
    return x % P, y % P


def multiply(scalar: int, point: Point) -> Point:
    found = NEUTRAL
    while scalar:
        if scalar & 1:
            found = add(found, point)
        point, scalar = add(point, point), scalar >> 1
    return found


def spelling_of(point: Point) -> bytes:
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def lenient(key: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether S·B - h·A is spelled R: the equation, and nothing else."""
    public = recover(key)
    if public is None:
        return False
    hashed = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % L
    base = recover((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert base is not None
    minus = (-public[0] % P, public[1])
    answer = int.from_bytes(signature[32:], "little")
    return spelling_of(add(multiply(answer, base), multiply(hashed, minus))) == signature[:32]
