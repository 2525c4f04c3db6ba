"""How a signer shows who it is: a token that its account's own key has signed, good for a minute.

There is no secret to hand out, keep or rotate: whoever can sign for an account may ask what is to
be signed for it. What is signed begins with words of its own, so that no token is ever a
transaction, nor the other way round.
"""

from typing import Final

from ledger.primitives.errors import BadHex
from ledger.primitives.hashing import Hash
from ledger.primitives.hexadecimal import parse_hex
from ledger.primitives.keys import Address, PublicKey, Signature, address_of, verify

TOKEN_PREFIX: Final = "bcs"  # noqa: S105 - everybody may know it
TOKEN_MS: Final = 60_000
TOKEN_AHEAD_MS_MAX: Final = 120_000
"""How far ahead a token's end may lie: its life, and as much again for clocks that differ."""
_WORDS: Final = b"BILLCOIN/signer/1"
_TIME_BYTES: Final = 8


def token_text(chain_id: Hash, until_ms: int) -> bytes:
    """Give what is signed: that this key asks on this chain until a time."""
    return _WORDS + chain_id + until_ms.to_bytes(_TIME_BYTES, "big")


def format_token(key: PublicKey, until_ms: int, signature: Signature) -> str:
    """Write a token."""
    return f"{TOKEN_PREFIX}_{key.hex()}_{until_ms}_{signature.hex()}"


def read_token(token: str, chain_id: Hash, now_ms: int) -> Address | None:
    """Give the account whose key signed a token that is good now; None for any other text."""
    parts = token.split("_")
    if len(parts) != 4 or parts[0] != TOKEN_PREFIX or not parts[2].isascii():
        return None
    if not parts[2].isdigit() or len(parts[2]) > 15:
        return None
    until_ms = int(parts[2])
    if not now_ms < until_ms <= now_ms + TOKEN_AHEAD_MS_MAX:
        return None
    try:
        key, signature = PublicKey(parse_hex(parts[1])), Signature(parse_hex(parts[3]))
    except BadHex:
        return None
    if len(key) != 32 or not verify(key, token_text(chain_id, until_ms), signature):
        return None
    return address_of(key)
