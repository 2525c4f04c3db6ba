"""Challenges: what a key signs to show that it is there, and for whom.

    BILLCOIN/link/1      a wallet is linked to a user
    BILLCOIN/login/1     the owner of a linked wallet logs in
    BILLCOIN/terminal/1  a paired till asks for its next token

    message = purpose || chain id (32) || host's length (1) || host || nonce (32) || expiry (8, ms)

The purpose comes first and is no prefix of any other text that the ledger has keys sign, so a
proof is never a transaction, nor one proof another. The host is the one that the wallet itself
talks to: a proof that a false host collected is good for that host alone. The nonce says, under a
key of ours, for which subject and until when it was given; it needs no row until it is used.
"""

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from api.vault.files import subkey
from ledger.primitives.errors import BadKey
from ledger.primitives.keys import Address, Policy, PublicKey, Signature, verify

CHALLENGE_MS: Final = 300_000
NONCE_BYTES: Final = 32
_RANDOM_BYTES: Final = 16


class ProofPurpose(StrEnum):
    """What a proof is for; the words stand at the head of what is signed."""

    LINK = "BILLCOIN/link/1"
    LOGIN = "BILLCOIN/login/1"
    TERMINAL = "BILLCOIN/terminal/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChallenge:
    """What is to be signed."""

    purpose: ProofPurpose
    chain_id: bytes
    host: str
    nonce: bytes
    expires_ms: int

    def message(self) -> bytes:
        """Give the bytes that are signed."""
        host = self.host.encode("ascii")
        return b"".join(
            (
                self.purpose.encode("ascii"),
                self.chain_id,
                len(host).to_bytes(1, "big"),
                host,
                self.nonce,
                self.expires_ms.to_bytes(8, "big"),
            )
        )


@dataclass(frozen=True, slots=True)
class WalletProof:
    """The policy of an account, and signatures of enough of its keys, each beside its key."""

    policy: Policy
    signatures: Sequence[tuple[PublicKey, Signature]]


def draw_nonce(key: bytes, purpose: ProofPurpose, subject: str, expires_ms: int) -> bytes:
    """Draw a nonce for a subject: a union's login, a link, a terminal."""
    random = os.urandom(_RANDOM_BYTES)
    return random + _tag(key, purpose, subject, random, expires_ms)


def is_ours(
    key: bytes, purpose: ProofPurpose, subject: str, nonce: bytes, expires_ms: int, now_ms: int
) -> bool:
    """Tell whether a nonce was drawn here for that purpose and subject, and is still good."""
    random, tag = nonce[:_RANDOM_BYTES], nonce[_RANDOM_BYTES:]
    drawn = hmac.compare_digest(tag, _tag(key, purpose, subject, random, expires_ms))
    return drawn and now_ms < expires_ms


def proven_address(proof: WalletProof, message: bytes) -> Address | None:
    """Give the account that a proof is of; None if its keys have not signed the message."""
    try:
        proof.policy.check()
    except BadKey:
        return None
    signers = {key for key, _ in proof.signatures}
    if len(signers) != len(proof.signatures) or not signers <= set(proof.policy.keys):
        return None
    if len(signers) < proof.policy.threshold:
        return None
    if not all(verify(key, message, signature) for key, signature in proof.signatures):
        return None
    return proof.policy.address()


def _tag(key: bytes, purpose: ProofPurpose, subject: str, random: bytes, expires_ms: int) -> bytes:
    text = f"{purpose}|{subject}|{expires_ms}|".encode()
    return hmac.digest(subkey(key, "challenge"), text + random, sha256)[:_RANDOM_BYTES]
