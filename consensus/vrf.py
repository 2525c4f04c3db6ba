"""The verifiable random function behind the seeds of epochs: ECVRF, RFC 9381.

The suite is ECVRF-EDWARDS25519-SHA512-TAI (suite string 3). `prove` gives 80 bytes that only the
holder of the secret can make; `verify` gives the 64 bytes of output that a proof stands for, the
same for every proof that verifies. So a validator can withhold its contribution to a seed, but it
can't choose it.

`curve` has the arithmetic; libsodium's `from_uniform` is another map to the curve than the RFC's,
and is not used.

A key must be a canonical point of prime order: stricter than the RFC's validation, as the law
demands of every registered key anyway. In all else what the RFC takes is taken here, also a
`Gamma` with a small-order part: implementations that disagree about one proof have forked.
"""

from hashlib import sha512
from typing import Final, NewType

import nacl.bindings as sodium

from consensus.curve import (
    NEUTRAL,
    ORDER,
    Point,
    Scalar,
    clamp,
    is_point,
    minus,
    reduce_wide,
    times,
    times_any,
    times_eight,
    times_generator,
)
from ledger.primitives.keys import PublicKey, Seed, is_sound

VrfProof = NewType("VrfProof", bytes)
"""An ECVRF proof: Gamma (32 bytes), c (16), s (32)."""
VrfOutput = NewType("VrfOutput", bytes)
"""What a proof stands for: 64 bytes that nobody could choose."""

PROOF_BYTES: Final = 80
OUTPUT_BYTES: Final = 64

_SUITE: Final = b"\x03"
_ENCODE: Final = _SUITE + b"\x01"
_CHALLENGE: Final = _SUITE + b"\x02"
_OUTPUT: Final = _SUITE + b"\x03"
_BACK: Final = b"\x00"
_CHALLENGE_BYTES: Final = 16


def public_key(secret: Seed) -> PublicKey:
    """Derive the public key: the same as the Ed25519 key of this seed."""
    return PublicKey(sodium.crypto_sign_seed_keypair(secret)[0])


def prove(secret: Seed, alpha: bytes) -> VrfProof:
    """Make the proof of the secret's output for an input (RFC 9381, 5.1)."""
    expanded = sha512(secret).digest()
    scalar = clamp(expanded[:32])
    public = public_key(secret)
    base = encode_to_curve(public, alpha)
    gamma = Point(sodium.crypto_scalarmult_ed25519_noclamp(scalar, base))
    # The nonce of RFC 8032: secret and input fix it, so no randomness can fail.
    nonce = reduce_wide(sha512(expanded[32:] + base).digest())
    u = Point(sodium.crypto_scalarmult_ed25519_base_noclamp(nonce))
    v = Point(sodium.crypto_scalarmult_ed25519_noclamp(nonce, base))
    challenge = challenge_of(Point(public), base, gamma, u, v)
    reduced = reduce_wide(scalar + bytes(32))
    product = sodium.crypto_core_ed25519_scalar_mul(_widen(challenge), reduced)
    return VrfProof(gamma + challenge + sodium.crypto_core_ed25519_scalar_add(nonce, product))


def verify(public: PublicKey, alpha: bytes, proof: VrfProof) -> VrfOutput | None:
    """Give the output that a proof stands for; None if it proves nothing (RFC 9381, 5.3)."""
    parts = _split(proof)
    if parts is None or len(public) != 32 or not is_sound(public):
        return None
    gamma, challenge, answer = parts
    key, base = Point(public), encode_to_curve(public, alpha)
    c = _widen(challenge)
    u = minus(times_generator(answer), times(c, key))
    v = minus(times(answer, base), times_any(c, gamma))
    if challenge_of(key, base, gamma, u, v) != challenge:
        return None
    return _output(gamma)


def proof_to_hash(proof: VrfProof) -> VrfOutput | None:
    """Give the output of a proof that was verified before; None if it can't be one (5.2)."""
    parts = _split(proof)
    return None if parts is None else _output(parts[0])


def _output(gamma: Point) -> VrfOutput:
    return VrfOutput(sha512(_OUTPUT + times_eight(gamma) + _BACK).digest())


def _split(proof: VrfProof) -> tuple[Point, bytes, Scalar] | None:
    """Cut a proof into its three parts; None if one is out of range (5.4.4)."""
    if len(proof) != PROOF_BYTES:
        return None
    gamma, challenge, answer = proof[:32], proof[32:48], proof[48:]
    if not is_point(gamma) or int.from_bytes(answer, "little") >= ORDER:
        return None
    return Point(gamma), challenge, Scalar(answer)


def encode_to_curve(public: PublicKey, alpha: bytes) -> Point:
    """Map an input to a point of prime order by trying and incrementing (5.4.1.1)."""
    for attempt in range(256):
        tried = _ENCODE + public + alpha + bytes([attempt]) + _BACK
        candidate = sha512(tried).digest()[:32]
        if is_point(candidate):
            point = times_eight(Point(candidate))
            if point != NEUTRAL:
                return point
    raise AssertionError("half of all strings are points: 256 misses are no accident")


def challenge_of(*points: Point) -> bytes:
    """Hash five points to a challenge (5.4.3)."""
    return sha512(_CHALLENGE + b"".join(points) + _BACK).digest()[:_CHALLENGE_BYTES]


def _widen(challenge: bytes) -> Scalar:
    return Scalar(challenge + bytes(32 - _CHALLENGE_BYTES))
