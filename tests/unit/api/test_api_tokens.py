"""Access tokens are read strictly: one algorithm, one issuer, one audience, our keys, our clock."""

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.people.tokens import (
    AUDIENCE,
    TOKEN_S,
    PersonClaims,
    TerminalClaims,
    TokenKeys,
    TokenRefused,
)

KEYS = TokenKeys.of({1: bytes(32), 2: bytes(31) + b"\1"})
STRANGER = TokenKeys.of({1: bytes(31) + b"\7"})
ISSUER = "https://milk.example"
NOW_S = 1_800_000_000
NOW_MS = NOW_S * 1_000
PERSON = PersonClaims(
    iss=ISSUER, aud=AUDIENCE, sub="01HUSER", uni="01HUNION", sid="01HSESSION", ver=3,
    iat=NOW_S, exp=NOW_S + TOKEN_S,
)  # fmt: skip
TILL = TerminalClaims(
    iss=ISSUER, aud=AUDIENCE, sub="01HTILL", uni="01HUNION", mer="01HKIOSK", ver=1,
    iat=NOW_S, exp=NOW_S + TOKEN_S, cas="01HSHIFT",
)  # fmt: skip


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def forged(header: dict[str, object], claims: object = None, signature: bytes | None = None) -> str:
    """Write a token with any header; sign it with our own key unless a signature is given."""
    text = f"{part(header)}.{part(msgspec.to_builtins(claims or PERSON))}"
    key = KEYS.private[KEYS.signing_kid]
    raw = key.sign(text.encode()) if signature is None else signature
    return f"{text}.{urlsafe_b64encode(raw).decode().rstrip('=')}"


def header(**changes: object) -> dict[str, object]:
    plain = {"alg": "EdDSA", "kid": KEYS.signing_kid, "typ": "at+jwt", **changes}
    return {name: value for name, value in plain.items() if value is not None}


def refused(token: str, now_ms: int = NOW_MS) -> str:
    with pytest.raises(TokenRefused) as told:
        KEYS.read(token, ISSUER, now_ms)
    return told.value.code


def test_what_was_signed_is_read_back():
    for claims in (PERSON, TILL):
        assert KEYS.read(KEYS.sign(claims), ISSUER, NOW_MS) == claims
    assert KEYS.read(forged(header()), ISSUER, NOW_MS) == PERSON


def test_every_key_of_the_ring_verifies_and_the_newest_signs():
    old = TokenKeys.of({1: bytes(32)})
    assert KEYS.read(old.sign(PERSON), ISSUER, NOW_MS) == PERSON
    assert KEYS.signing_kid != old.signing_kid
    assert refused(STRANGER.sign(PERSON)) == "TOKEN_INVALID"


def test_a_token_lives_to_its_last_second_by_our_clock():
    token = KEYS.sign(PERSON)
    assert KEYS.read(token, ISSUER, NOW_MS + TOKEN_S * 1_000 - 1) == PERSON
    assert refused(token, NOW_MS + TOKEN_S * 1_000) == "TOKEN_EXPIRED"
    assert refused(token, NOW_MS - 60_000) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS256"},
        {"alg": "RS256"},
        {"alg": "Ed25519"},
        {"alg": ["EdDSA"]},
        {"typ": "JWT"},
        {"typ": None},
        {"kid": None},
        {"kid": "../../index"},
        {"kid": 1},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"jwk": {"kty": "OKP"}},
        {"crit": ["exp"]},
        {"b64": False},
        {"zip": "DEF"},
    ],
)
def test_a_header_that_is_not_ours_is_refused_though_the_signature_is_good(changes):
    assert refused(forged(header(**changes))) == "TOKEN_INVALID"


def test_an_unsigned_token_is_refused():
    assert refused(forged(header(alg="none"), signature=b"")) == "TOKEN_INVALID"
    assert refused(forged(header(), signature=b"")) == "TOKEN_INVALID"
    assert refused(forged(header(), signature=bytes(64))) == "TOKEN_INVALID"


def test_our_public_key_is_no_secret_that_an_hmac_may_be_made_with():
    """The confusion of algorithms: HS256 keyed with the public key that anybody can read."""
    public = KEYS.private[KEYS.signing_kid].public_key()
    text = f"{part(header(alg='HS256'))}.{part(msgspec.to_builtins(PERSON))}"
    shapes = (
        public.public_bytes_raw(),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )
    for shape in shapes:
        tag = hmac.digest(shape, text.encode(), sha256)
        assert refused(f"{text}.{urlsafe_b64encode(tag).decode().rstrip('=')}") == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-api"},
        {"aud": [AUDIENCE]},
        {"iss": "https://evil.example"},
        {"exp": "9999999999"},
        {"exp": float(NOW_S + 60)},
        {"exp": True},
        {"exp": NOW_S - 10, "iat": NOW_S - 5},
        {"iat": NOW_S + 3_600, "exp": NOW_S + 7_200},
        {"nbf": NOW_S + 3_600},
        {"ver": "3"},
        {"kind": "admin"},
        {"roles": ["admin"]},
        {"sub": None},
        {"sid": 7},
    ],
)
def test_claims_that_are_not_ours_are_refused_though_the_signature_is_good(changes):
    claims = {**msgspec.to_builtins(PERSON), **changes}
    token = jwt.encode(claims, KEYS.private[KEYS.signing_kid], "EdDSA", headers=header())
    assert refused(token) == "TOKEN_INVALID"


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "uni", "sid", "ver", "iat", "exp", "kind"])
def test_no_claim_may_be_missing(name):
    claims = msgspec.to_builtins(PERSON)
    del claims[name]
    token = jwt.encode(claims, KEYS.private[KEYS.signing_kid], "EdDSA", headers=header())
    assert refused(token) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "text", ["", "a", "a.b.c", "..", "eyJ.eyJ.", "\u00e9.\u00e9.\u00e9", "x" * 5_000]
)
def test_what_is_no_token_is_refused(text):
    assert refused(text) == "TOKEN_INVALID"


def test_a_claim_of_one_kind_does_not_read_as_another():
    claims = {**msgspec.to_builtins(TILL), "kind": "person"}
    assert (
        refused(jwt.encode(claims, KEYS.private[KEYS.signing_kid], "EdDSA", headers=header()))
        == "TOKEN_INVALID"
    )


def test_the_key_set_shows_public_halves_alone_and_verifies_our_tokens():
    jwks = json.loads(msgspec.json.encode(KEYS.jwks()))
    assert [sorted(key) for key in jwks["keys"]] == [["alg", "crv", "kid", "kty", "use", "x"]] * 2
    read = jwt.PyJWKSet.from_dict(jwks)
    token = KEYS.sign(PERSON)
    key = read[jwt.get_unverified_header(token)["kid"]]
    options = {"verify_exp": False, "verify_iat": False}
    assert jwt.decode(token, key, ["EdDSA"], audience=AUDIENCE, options=options)["sub"] == "01HUSER"


def test_no_repr_shows_a_key():
    assert "Ed25519PrivateKey" not in repr(KEYS)
    assert isinstance(KEYS.private[KEYS.signing_kid], Ed25519PrivateKey)
