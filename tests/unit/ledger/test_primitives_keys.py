"""Ed25519 against RFC 8032 §7.1, and policies."""

import pytest

from ledger.primitives.errors import BadKey
from ledger.primitives.keys import (
    Policy,
    PublicKey,
    Seed,
    Signature,
    SigningKey,
    address_of,
    verify,
    verify_many,
)

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_keys_and_signatures_are_those_of_rfc_8032(seed, public, message, signature):
    key = SigningKey(Seed(bytes.fromhex(seed)))
    assert key.public.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert verify(key.public, bytes.fromhex(message), Signature(bytes.fromhex(signature)))


def test_one_bad_signature_among_many_is_told_apart():
    key = SigningKey(Seed(bytes(32)))
    good = (key.public, b"m", key.sign(b"m"))
    bad = (key.public, b"n", key.sign(b"m"))
    assert verify_many([good, bad, good]) == [True, False, True]


def test_small_order_keys_and_wrong_lengths_verify_nothing():
    assert not verify(PublicKey(bytes(32)), b"m", Signature(bytes(64)))
    assert not verify(PublicKey(b"short"), b"m", Signature(bytes(64)))


def test_a_secret_key_never_shows_in_its_repr():
    key = SigningKey(Seed(b"\x07" * 32))
    assert "07" * 8 not in repr(key)
    assert key.public.hex() in repr(key)


def test_a_seed_of_another_length_is_refused():
    with pytest.raises(BadKey):
        SigningKey(Seed(bytes(31)))


def test_a_policy_wants_ascending_keys_and_a_reachable_threshold():
    low, high = PublicKey(bytes(32)), PublicKey(b"\x01" * 32)
    Policy(2, (low, high)).check()
    for policy in (Policy(1, (high, low)), Policy(1, (low, low)), Policy(3, (low, high))):
        with pytest.raises(BadKey):
            policy.check()


def test_addresses_differ_by_threshold_and_by_keys():
    low, high = PublicKey(bytes(32)), PublicKey(b"\x01" * 32)
    addresses = {
        Policy(1, (low, high)).address(),
        Policy(2, (low, high)).address(),
        address_of(low),
        address_of(high),
    }
    assert len(addresses) == 4
