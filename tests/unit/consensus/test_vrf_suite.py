"""ECVRF: the RFC's examples, what is refused, and the corners where libsodium is no help."""

import json
from hashlib import sha512
from itertools import count
from pathlib import Path

import nacl.bindings as sodium
import pytest

from consensus import curve, vrf
from ledger.primitives.keys import Seed, SigningKey

VECTORS = Path(__file__).parents[2] / "vectors/vrf.json"
EXAMPLES = json.loads(VECTORS.read_text("utf-8"))["examples"]
ORDER = 2**252 + 27742317777372353535851937790883648493
FIELD = 2**255 - 19
SECRET = Seed(bytes(range(32)))
PUBLIC = vrf.public_key(SECRET)
ALPHA = b"an epoch's seed and a view"
NEUTRAL = (1).to_bytes(32, "little")
ORDER_TWO = (FIELD - 1).to_bytes(32, "little")
ORDER_EIGHT = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["example"])
def test_the_examples_of_the_rfc_come_out_to_the_byte(example):
    secret, public, alpha, point, proof, output = (
        bytes.fromhex(example[name])
        for name in ("secret", "public", "alpha", "point", "proof", "output")
    )
    assert vrf.public_key(Seed(secret)) == public
    assert vrf.encode_to_curve(public, alpha) == point
    assert vrf.prove(Seed(secret), alpha) == proof
    assert vrf.verify(public, alpha, proof) == output
    assert vrf.proof_to_hash(proof) == output


def test_a_vrf_key_is_derived_as_a_signing_key_is():
    assert vrf.public_key(SECRET) == SigningKey(SECRET).public


def test_a_proof_holds_for_one_key_and_one_input():
    proof = vrf.prove(SECRET, ALPHA)
    assert vrf.verify(PUBLIC, ALPHA, proof) is not None
    assert vrf.verify(PUBLIC, ALPHA + b"\0", proof) is None
    assert vrf.verify(vrf.public_key(Seed(bytes(32))), ALPHA, proof) is None


@pytest.mark.parametrize("size", [0, 31, 79, 81, 160])
def test_a_proof_of_another_length_is_none(size):
    assert vrf.verify(PUBLIC, ALPHA, bytes(size)) is None
    assert vrf.proof_to_hash(bytes(size)) is None


def test_an_answer_is_below_the_order_so_a_proof_has_one_spelling():
    proof = vrf.prove(SECRET, ALPHA)
    answer = int.from_bytes(proof[48:], "little")
    again = proof[:48] + (answer + ORDER).to_bytes(32, "little")
    assert vrf.verify(PUBLIC, ALPHA, again) is None


@pytest.mark.parametrize(
    "gamma",
    [
        FIELD.to_bytes(32, "little"),  # y = 0, not reduced
        (FIELD + 1).to_bytes(32, "little"),  # the neutral element, not reduced
        (1 | 1 << 255).to_bytes(32, "little"),  # x = 0 with a sign
        (FIELD - 1 | 1 << 255).to_bytes(32, "little"),
        (2).to_bytes(32, "little"),  # on the twist
    ],
)
def test_gamma_is_decoded_as_strictly_as_the_rfc_demands(gamma):
    proof = vrf.prove(SECRET, ALPHA)
    assert not curve.is_point(gamma)
    assert vrf.verify(PUBLIC, ALPHA, gamma + proof[32:]) is None


@pytest.mark.parametrize("point", [NEUTRAL, ORDER_TWO, ORDER_EIGHT])
def test_a_key_of_small_order_proves_nothing(point):
    assert curve.is_point(point)
    assert curve.times_eight(point) == NEUTRAL
    assert vrf.verify(point, ALPHA, vrf.prove(SECRET, ALPHA)) is None


def test_a_key_with_a_small_part_proves_nothing():
    mixed = sodium.crypto_core_ed25519_add(PUBLIC, ORDER_EIGHT)
    assert vrf.verify(mixed, ALPHA, vrf.prove(SECRET, ALPHA)) is None


def test_a_small_part_of_gamma_is_multiplied_and_not_refused():
    point = sodium.crypto_scalarmult_ed25519_base_noclamp((7).to_bytes(32, "little"))
    mixed = sodium.crypto_core_ed25519_add(point, ORDER_EIGHT)
    for number in range(20):
        expected = NEUTRAL
        for _ in range(number):
            expected = sodium.crypto_core_ed25519_add(expected, mixed)
        assert curve.times_any(number.to_bytes(32, "little"), mixed) == expected


def dishonest_proof(small: bytes) -> bytes:
    """Prove with Gamma + small, grinding nonces until the challenge hides the small part."""
    expanded = sha512(SECRET).digest()
    scalar = curve.clamp(expanded[:32])
    base = vrf.encode_to_curve(PUBLIC, ALPHA)
    honest = sodium.crypto_scalarmult_ed25519_noclamp(scalar, base)
    gamma = sodium.crypto_core_ed25519_add(honest, small)
    for number in count(1):
        nonce = number.to_bytes(32, "little")
        u = sodium.crypto_scalarmult_ed25519_base_noclamp(nonce)
        v = sodium.crypto_scalarmult_ed25519_noclamp(nonce, base)
        challenge = vrf.challenge_of(PUBLIC, base, gamma, u, v)
        if challenge[0] % 8 == 0:
            x, c = int.from_bytes(scalar, "little"), int.from_bytes(challenge, "little")
            return gamma + challenge + ((number + c * x) % ORDER).to_bytes(32, "little")
    raise AssertionError("one nonce in eight does")


@pytest.mark.parametrize("small", [NEUTRAL, ORDER_TWO, ORDER_EIGHT])
def test_a_dishonest_holder_can_spell_a_proof_anew_but_not_choose_the_output(small):
    honest = vrf.prove(SECRET, ALPHA)
    other = dishonest_proof(small)
    assert other != honest
    assert vrf.verify(PUBLIC, ALPHA, other) == vrf.verify(PUBLIC, ALPHA, honest)
