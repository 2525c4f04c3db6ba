"""The verifiable random function behind the seeds of epochs: ECVRF, RFC 9381.

The suite is ECVRF-EDWARDS25519-SHA512-TAI (suite string 3). `prove` gives 80 bytes that only the
holder of the secret can make; `verify` gives the 64 bytes of output that a proof stands for, the
same for every proof that verifies. So a validator can withhold its contribution to a seed, but it
can't choose it.

All arithmetic is libsodium's, and whatever touches a secret runs in constant time. Two of its
habits shape this module. Its scalar multiplications refuse points outside the prime-order group
and results that are the neutral element; its additions take any point of the curve. So the
cofactor is cleared by three doublings, and a neutral element is never asked for. Its
`from_uniform` is another map than the RFC's, and is not used.

A key must be a canonical point of prime order: stricter than the RFC's validation, as the law
demands of every registered key anyway. In all else what the RFC takes is taken here, also a
`Gamma` with a small-order part: implementations that disagree about one proof have forked.
"""

from hashlib import sha512
from typing import Final, NewType

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from ledger.primitives.keys import PublicKey, Seed, is_sound

VrfProof = NewType("VrfProof", bytes)
"""An ECVRF proof: Gamma (32 bytes), c (16), s (32)."""
VrfOutput = NewType("VrfOutput", bytes)
"""What a proof stands for: 64 bytes that nobody could choose."""

PROOF_BYTES: Final = 80
OUTPUT_BYTES: Final = 64

_Point = NewType("_Point", bytes)
_Scalar = NewType("_Scalar", bytes)

_SUITE: Final = b"\x03"
_ENCODE: Final = _SUITE + b"\x01"
_CHALLENGE: Final = _SUITE + b"\x02"
_OUTPUT: Final = _SUITE + b"\x03"
_BACK: Final = b"\x00"
_CHALLENGE_BYTES: Final = 16

_FIELD: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_NEUTRAL: Final = _Point((1).to_bytes(32, "little"))
_ZERO: Final = _Scalar(bytes(32))
_EIGHTH: Final = _Scalar(pow(8, -1, _ORDER).to_bytes(32, "little"))
_SIGN: Final = 1 << 255


def public_key(secret: Seed) -> PublicKey:
    """Derive the public key: the same as the Ed25519 key of this seed."""
    return PublicKey(sodium.crypto_sign_seed_keypair(secret)[0])


def prove(secret: Seed, alpha: bytes) -> VrfProof:
    """Make the proof of the secret's output for an input (RFC 9381, 5.1)."""
    expanded = sha512(secret).digest()
    scalar = _clamp(expanded[:32])
    public = public_key(secret)
    base = _encode_to_curve(public, alpha)
    gamma = _Point(sodium.crypto_scalarmult_ed25519_noclamp(scalar, base))
    # The nonce of RFC 8032: secret and input fix it, so no randomness can fail.
    nonce = _reduce(sha512(expanded[32:] + base).digest())
    u = _Point(sodium.crypto_scalarmult_ed25519_base_noclamp(nonce))
    v = _Point(sodium.crypto_scalarmult_ed25519_noclamp(nonce, base))
    challenge = _challenge(_Point(public), base, gamma, u, v)
    reduced = _reduce(scalar + bytes(32))
    product = sodium.crypto_core_ed25519_scalar_mul(_widen(challenge), reduced)
    return VrfProof(gamma + challenge + sodium.crypto_core_ed25519_scalar_add(nonce, product))


def verify(public: PublicKey, alpha: bytes, proof: VrfProof) -> VrfOutput | None:
    """Give the output that a proof stands for; None if it proves nothing (RFC 9381, 5.3)."""
    parts = _split(proof)
    if parts is None or len(public) != 32 or not is_sound(public):
        return None
    gamma, challenge, answer = parts
    key, base = _Point(public), _encode_to_curve(public, alpha)
    c = _widen(challenge)
    u = _minus(_times_generator(answer), _times(c, key))
    v = _minus(_times(answer, base), _times_any(c, gamma))
    if _challenge(key, base, gamma, u, v) != challenge:
        return None
    return _output(gamma)


def proof_to_hash(proof: VrfProof) -> VrfOutput | None:
    """Give the output of a proof that was verified before; None if it can't be one (5.2)."""
    parts = _split(proof)
    return None if parts is None else _output(parts[0])


def _output(gamma: _Point) -> VrfOutput:
    return VrfOutput(sha512(_OUTPUT + _times_eight(gamma) + _BACK).digest())


def _split(proof: VrfProof) -> tuple[_Point, bytes, _Scalar] | None:
    """Cut a proof into its three parts; None if one is out of range (5.4.4)."""
    if len(proof) != PROOF_BYTES:
        return None
    gamma, challenge, answer = proof[:32], proof[32:48], proof[48:]
    if not _is_point(gamma) or int.from_bytes(answer, "little") >= _ORDER:
        return None
    return _Point(gamma), challenge, _Scalar(answer)


def _encode_to_curve(public: PublicKey, alpha: bytes) -> _Point:
    """Map an input to a point of prime order by trying and incrementing (5.4.1.1)."""
    for attempt in range(256):
        tried = _ENCODE + public + alpha + bytes([attempt]) + _BACK
        candidate = sha512(tried).digest()[:32]
        if _is_point(candidate):
            point = _times_eight(_Point(candidate))
            if point != _NEUTRAL:
                return point
    raise AssertionError("half of all strings are points: 256 misses are no accident")


def _challenge(*points: _Point) -> bytes:
    """Hash five points to a challenge (5.4.3)."""
    return sha512(_CHALLENGE + b"".join(points) + _BACK).digest()[:_CHALLENGE_BYTES]


def _clamp(half: bytes) -> _Scalar:
    """Make the secret scalar of RFC 8032."""
    return _Scalar(bytes([half[0] & 248]) + half[1:31] + bytes([half[31] & 127 | 64]))


def _reduce(wide: bytes) -> _Scalar:
    return _Scalar(sodium.crypto_core_ed25519_scalar_reduce(wide))


def _widen(challenge: bytes) -> _Scalar:
    return _Scalar(challenge + bytes(32 - _CHALLENGE_BYTES))


def _is_point(raw: bytes) -> bool:
    """Tell whether bytes decode as RFC 8032 demands: canonical, and on the curve.

    libsodium takes a y of the field's size or more, and a sign on x = 0; the RFC takes neither.
    """
    y = int.from_bytes(raw, "little")
    if y & _SIGN and y - _SIGN in (1, _FIELD - 1):
        return False
    if y & ~_SIGN >= _FIELD:
        return False
    try:
        sodium.crypto_core_ed25519_add(raw, _NEUTRAL)
    except CryptoError:
        return False
    return True


def _plus(one: _Point, other: _Point) -> _Point:
    return _Point(sodium.crypto_core_ed25519_add(one, other))


def _minus(one: _Point, other: _Point) -> _Point:
    return _Point(sodium.crypto_core_ed25519_sub(one, other))


def _times_eight(point: _Point) -> _Point:
    """Clear the cofactor of any point of the curve."""
    for _ in range(3):
        point = _plus(point, point)
    return point


def _times_generator(scalar: _Scalar) -> _Point:
    if scalar == _ZERO:
        return _NEUTRAL
    return _Point(sodium.crypto_scalarmult_ed25519_base_noclamp(scalar))


def _times(scalar: _Scalar, point: _Point) -> _Point:
    """Multiply a point of prime order, or the neutral element, by a scalar below the order."""
    if scalar == _ZERO or point == _NEUTRAL:
        return _NEUTRAL
    return _Point(sodium.crypto_scalarmult_ed25519_noclamp(scalar, point))


def _times_any(scalar: _Scalar, point: _Point) -> _Point:
    """Multiply any point of the curve by a scalar below the order.

    A point is the sum of one of prime order and one whose order divides 8. The first is an
    eighth, modulo the order, of eight times the point; the second is what remains.
    """
    try:
        return _times(scalar, point)
    except CryptoError:
        pass  # Not of prime order. No honest prover makes such a point, so this may be slow.
    prime = _times(_EIGHTH, _times_eight(point))
    small = _minus(point, prime)
    product = _times(scalar, prime)
    for _ in range(scalar[0] % 8):
        product = _plus(product, small)
    return product
