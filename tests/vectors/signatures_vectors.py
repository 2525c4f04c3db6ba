"""Vectors of Ed25519 where libraries differ: what the chain takes, and what it refuses.

`python -m tests.vectors.signatures_vectors` writes `signatures.json` anew. What is valid there is
consensus: two verifiers that disagree about one of them have forked (docs/spec/encoding.md §3).
"""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ledger.primitives.keys import Seed, Signature, SigningKey, verify
from tests.support.ledger.odd_signatures import (
    COFACTOR,
    MISSPELT,
    NONCE,
    SMALL,
    OddKey,
    wider,
)

FILE = Path(__file__).with_name("signatures.json")
SECRET = Seed(bytes(range(32)))
HONEST = SigningKey(SECRET)
PRIME_KEY = OddKey.of(SECRET)
MIXED_KEY = OddKey(PRIME_KEY.scalar, 1)
MILK = b"milk"
Case = tuple[str, bytes, bytes, Signature]


def _signed(
    key: OddKey, *, part: int = 0, nonce: int = NONCE, cancels: bool = True
) -> tuple[bytes, bytes, Signature]:
    """Sign the first message for which the small parts cancel each other, or do not."""
    for number in count():
        message = b"milk %d" % number
        signature = key.sign(message, nonce=nonce, part=part)
        if key.cancels(message, signature, part) is cancels:
            return key.public, message, signature
    raise AssertionError


def _plain() -> Iterator[Case]:
    public, good = HONEST.public, HONEST.sign(MILK)
    flipped = bytes([good[0] ^ 1]) + good[1:]
    yield "an honest signature", public, MILK, good
    yield "an honest signature of nothing", public, b"", HONEST.sign(b"")
    yield "another message", public, b"water", good
    yield "another R", public, MILK, Signature(flipped)
    yield "all zeros", public, MILK, Signature(bytes(64))


def _wide_scalars() -> Iterator[Case]:
    good = HONEST.sign(MILK)
    yield "S + L", HONEST.public, MILK, wider(good)
    yield "S + 2L: its top three bits are not zero", HONEST.public, MILK, wider(good, 2)
    yield "S + 14L", HONEST.public, MILK, wider(good, 14)


def _small_points() -> Iterator[Case]:
    yield "R is the identity", HONEST.public, MILK, PRIME_KEY.sign(MILK, nonce=0)
    for name, (spelling, part) in MISSPELT.items():
        if part == 0:
            signature = PRIME_KEY.sign(MILK, nonce=0, spelling=spelling)
            yield f"R is the identity, spelled as {name}", HONEST.public, MILK, signature
    for part in range(1, COFACTOR):
        yield f"R is of small order, {part}", *_signed(MIXED_KEY, part=part, nonce=0)


def _small_keys() -> Iterator[Case]:
    for part in range(len(SMALL)):
        yield f"a key of small order, {part}", *_signed(OddKey(0, part))
    for name, (spelling, part) in MISSPELT.items():
        yield f"a key that is not canonical, {name}", *_signed(OddKey(0, part, spelling))
    everyone = OddKey(0)
    yield "zeros but for R and the key", everyone.public, MILK, everyone.sign(MILK, nonce=0)


def _small_parts() -> Iterator[Case]:
    yield "a small part in R", HONEST.public, MILK, PRIME_KEY.sign(MILK, part=1)
    yield "a small part in the key", *_signed(MIXED_KEY, cancels=False)
    yield "a small part in the key that h cancels", *_signed(MIXED_KEY)
    yield "small parts in key and R that cancel", *_signed(MIXED_KEY, part=3)
    yield "small parts in key and R that don't", *_signed(MIXED_KEY, part=3, cancels=False)


def _no_points() -> Iterator[Case]:
    off = (2).to_bytes(32, "little")
    yield "a key that is no point", off, MILK, HONEST.sign(MILK)
    yield "an R that is no point", HONEST.public, MILK, Signature(off + HONEST.sign(MILK)[32:])


def build() -> dict[str, object]:
    """Compute every vector."""
    groups = (_plain, _wide_scalars, _small_points, _small_keys, _small_parts, _no_points)
    return {
        "small_order": [point.hex() for point in SMALL],
        "signatures": [
            {
                "name": name,
                "key": key.hex(),
                "message": message.hex(),
                "signature": signature.hex(),
                "valid": verify(key, message, signature),
            }
            for group in groups
            for name, key, message, signature in group()
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(build(), indent=1) + "\n")
