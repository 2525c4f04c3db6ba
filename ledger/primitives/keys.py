"""Ed25519 keys, signatures, account policies and addresses.

One verifier for the whole network: libsodium's, through PyNaCl. It refuses the small-order and
non-canonical keys on which other libraries disagree, and a ledger whose nodes disagree about one
signature has forked. Verification releases the interpreter lock, so threads help.
"""

from collections.abc import Iterable
from typing import Annotated, Final, NewType

import nacl.bindings as sodium
from msgspec import Meta, Struct
from nacl.exceptions import CryptoError

from ledger.primitives.bech32 import decode_bech32m, encode_bech32m
from ledger.primitives.errors import BadAddress, BadKey
from ledger.primitives.hashing import HASH_BYTES, Domain, digest

PublicKey = NewType("PublicKey", bytes)
"""An Ed25519 public key, 32 bytes."""
Seed = NewType("Seed", bytes)
"""An Ed25519 secret seed, 32 bytes. Never logged, never in a repr."""
Signature = NewType("Signature", bytes)
"""An Ed25519 signature, 64 bytes."""
Address = NewType("Address", bytes)
"""An account's name: the hash of its policy, 32 bytes."""

DEVELOPMENT_PREFIX: Final = "dbill"
"""What the addresses of chains of development begin with; whatever else is a live chain."""

WirePublicKey = Annotated[PublicKey, Meta(min_length=32, max_length=32)]
WireSignature = Annotated[Signature, Meta(min_length=64, max_length=64)]
WireAddress = Annotated[Address, Meta(min_length=32, max_length=32)]

POLICY_KEYS_MAX: Final = 16
"""The most keys one account may list."""


class SigningKey:
    """A secret key that signs. Its repr shows the public half alone."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: Seed) -> None:
        if len(seed) != 32:
            raise BadKey(f"a seed has 32 bytes, not {len(seed)}")
        public, self._secret = sodium.crypto_sign_seed_keypair(seed)
        self.public = PublicKey(public)

    def sign(self, message: bytes) -> Signature:
        """Sign the message."""
        return Signature(sodium.crypto_sign(message, self._secret)[:64])

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public.hex()})"


def verify(key: PublicKey, message: bytes, signature: Signature) -> bool:
    """Tell whether the signature is the key's own over the message."""
    try:
        sodium.crypto_sign_open(signature + message, key)
    except (CryptoError, ValueError):
        return False
    return True


def verify_many(claims: Iterable[tuple[PublicKey, bytes, Signature]]) -> list[bool]:
    """Verify each (key, message, signature); one answer a claim, in order."""
    return [verify(key, message, signature) for key, message, signature in claims]


def is_sound(key: PublicKey) -> bool:
    """Tell whether a key is a canonical point of prime order, as a voting key must be."""
    return bool(sodium.crypto_core_ed25519_is_valid_point(key))


class Policy(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Who may spend: any `threshold` of the `keys`, which stand in ascending order."""

    threshold: Annotated[int, Meta(ge=1, le=POLICY_KEYS_MAX)]
    keys: Annotated[tuple[WirePublicKey, ...], Meta(min_length=1, max_length=POLICY_KEYS_MAX)]

    @classmethod
    def single(cls, key: PublicKey) -> "Policy":
        """Make the policy of an ordinary account: one key, one signature."""
        return cls(1, (key,))

    def check(self) -> None:
        """Raise `BadKey` unless keys ascend strictly and the threshold can be reached."""
        if self.threshold > len(self.keys):
            raise BadKey(f"{self.threshold} signatures can't come from {len(self.keys)} keys")
        if any(a >= b for a, b in zip(self.keys, self.keys[1:], strict=False)):
            raise BadKey("the keys of a policy stand in ascending order, each once")

    def address(self) -> Address:
        """Name the account: the hash of threshold, count and keys, one byte, one byte, 32 each."""
        head = bytes((self.threshold, len(self.keys)))
        return Address(digest(Domain.ADDRESS, head, *self.keys))


def address_of(key: PublicKey) -> Address:
    """Name the ordinary account of one key."""
    return Policy.single(key).address()


def format_address(address: Address, prefix: str) -> str:
    """Write an address for people: bech32m under the network's prefix (BIP 350)."""
    return encode_bech32m(prefix, address)


def parse_address(text: str, prefix: str) -> Address:
    """Read an address; raise `BadAddress` if mistyped or of another network."""
    found, payload = decode_bech32m(text)
    if found != prefix:
        raise BadAddress(text, f"it is of the network {found!r}, this one is {prefix!r}")
    if len(payload) != HASH_BYTES:
        raise BadAddress(text, f"it holds {len(payload)} bytes, not {HASH_BYTES}")
    return Address(payload)
