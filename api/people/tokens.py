"""Access tokens: JWTs of 15 minutes, signed with EdDSA, read strictly.

What is fixed is not read from a token: the algorithm, the issuer, the audience, the type
(`at+jwt`, RFC 9068), and where keys come from (RFC 8725). A header with anything beside `alg`,
`kid` and `typ` is refused, so no `jku`, `x5u` or `jwk` is ever looked at. Times are compared with
the service's own clock. Who holds a token is looked up for each request (`api.people.standing`):
a token says who somebody is, never what they may do.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

TOKEN_S: Final = 900
STEP_UP_S: Final = 300
AUDIENCE: Final = "billcoin-api"
TYPE: Final = "at+jwt"
ALGORITHM: Final = "EdDSA"
CLOCKS_APART_S: Final = 5
"""How far the clock of another worker may be ahead."""
TOKEN_CHARS_MAX: Final = 2_048
_HEADER: Final = {"alg", "kid", "typ"}
_REQUIRED: Final = ["iss", "aud", "sub", "exp", "iat"]


class TokenRefused(ValueError):
    """A token that is not taken. `code` is what the caller is told."""

    def __init__(self, why: str, code: str = "TOKEN_INVALID") -> None:
        super().__init__(why)
        self.code = code


class PersonClaims(Struct, frozen=True, forbid_unknown_fields=True, tag="person", tag_field="kind"):
    """Somebody who has logged in: user, union, session, and the version of their tokens."""

    iss: str
    aud: str
    sub: str
    uni: str
    sid: str
    ver: int
    iat: int
    exp: int


class TerminalClaims(
    Struct, frozen=True, forbid_unknown_fields=True, tag="terminal", tag_field="kind"
):
    """A paired till; `cas` is the cashier session at it, `sup` who stepped up for refunds."""

    iss: str
    aud: str
    sub: str
    uni: str
    mer: str
    ver: int
    iat: int
    exp: int
    cas: str = ""
    sup: str = ""


Claims = PersonClaims | TerminalClaims


@dataclass(frozen=True, slots=True, repr=False)
class TokenKeys:
    """The keys of access tokens: all verify, the newest signs. A key's id is its thumbprint."""

    private: Mapping[str, Ed25519PrivateKey]
    signing_kid: str

    @classmethod
    def of(cls, ring: Mapping[int, bytes]) -> "TokenKeys":
        """Make them from the seeds of a ring."""
        private, kid = {}, ""
        for number in sorted(ring):
            key = Ed25519PrivateKey.from_private_bytes(ring[number])
            kid = thumbprint(key.public_key())
            private[kid] = key
        return cls(private, kid)

    def sign(self, claims: Claims) -> str:
        """Sign a token."""
        key = self.private[self.signing_kid]
        header = {"kid": self.signing_kid, "typ": TYPE}
        return jwt.encode(msgspec.to_builtins(claims), key, ALGORITHM, headers=header)

    def jwks(self) -> Mapping[str, object]:
        """Give the public halves as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        return {
            "keys": [
                {**_jwk(key.public_key()), "kid": kid, "use": "sig", "alg": ALGORITHM}
                for kid, key in self.private.items()
            ]
        }

    def read(self, token: str, issuer: str, now_ms: int) -> Claims:
        """Read a token; raise `TokenRefused`."""
        kid = kid_of(token)
        if kid not in self.private:
            raise TokenRefused("its key is not one of ours")
        return _read(token, self.private[kid].public_key(), issuer, now_ms)


def kid_of(token: str) -> str:
    """Give the name of the key that a token says it is signed by; raise `TokenRefused`."""
    if len(token) > TOKEN_CHARS_MAX:
        raise TokenRefused("it is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise TokenRefused("it is no token") from None
    kid = header.get("kid")
    if set(header) != _HEADER or header["alg"] != ALGORITHM or header["typ"] != TYPE:
        raise TokenRefused("its header is not ours")
    if not isinstance(kid, str):
        raise TokenRefused("its header is not ours")
    return kid


def _read(token: str, key: Ed25519PublicKey, issuer: str, now_ms: int) -> Claims:
    options: Any = {
        "require": _REQUIRED, "verify_exp": False, "verify_iat": False, "strict_aud": True,
    }  # fmt: skip
    try:
        plain = jwt.decode(
            token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=issuer, options=options
        )
        claims: Claims = msgspec.convert(plain, Claims, strict=True)
    except (jwt.PyJWTError, msgspec.ValidationError):
        raise TokenRefused("it is not signed for this service") from None
    now_s = now_ms // 1_000
    if claims.iat > now_s + CLOCKS_APART_S or claims.exp <= claims.iat:
        raise TokenRefused("it is of a time to come")
    if now_s >= claims.exp:
        raise TokenRefused("it is over", "TOKEN_EXPIRED")
    return claims


def thumbprint(key: Ed25519PublicKey) -> str:
    """Name a key by the hash of what it is (RFC 7638)."""
    plain = msgspec.json.encode(dict(sorted(_jwk(key).items())))
    return urlsafe_b64encode(sha256(plain).digest()).decode("ascii").rstrip("=")


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    x = urlsafe_b64encode(key.public_bytes_raw()).decode("ascii").rstrip("=")
    return {"crv": "Ed25519", "kty": "OKP", "x": x}
