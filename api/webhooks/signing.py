"""Signatures of Standard Webhooks 1.0.0: `v1` (HMAC-SHA256) and `v1a` (Ed25519). Pure.

What is signed is `id.timestamp.body`, byte for byte. A header bears a signature of each kind for
each secret that is in force, so a receiver goes by whichever it holds:

    webhook-signature: v1,K5oZ... v1a,hnO3...

A secret is shown as `whsec_` and base64, a public key as `whpk_` and base64.
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from typing import Final

from ledger.primitives.keys import Seed, SigningKey

HMAC_BYTES: Final = 32
SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class WebhookSecret:
    """What deliveries to one endpoint are signed with."""

    shared: bytes
    """The key of `v1`, which the receiver knows."""
    seed: bytes
    """The seed of `v1a`, which nobody else knows."""

    @property
    def text(self) -> str:
        """Write the shared half as its receiver keeps it."""
        return "whsec_" + b64encode(self.shared).decode()

    @property
    def public_text(self) -> str:
        """Write the public key that `v1a` is verified with."""
        return "whpk_" + b64encode(SigningKey(Seed(self.seed)).public).decode()

    def packed(self) -> bytes:
        """Give both halves, to be sealed."""
        return self.shared + self.seed


def draw_secret() -> WebhookSecret:
    """Draw a secret."""
    return WebhookSecret(token_bytes(HMAC_BYTES), token_bytes(SEED_BYTES))


def unpacked(raw: bytes) -> WebhookSecret:
    """Read what `packed` gave."""
    return WebhookSecret(raw[:HMAC_BYTES], raw[HMAC_BYTES:])


def sign_v1(shared: bytes, message: bytes) -> str:
    """Give the signature that a receiver verifies with the shared secret."""
    return "v1," + b64encode(hmac.digest(shared, message, sha256)).decode()


def sign_v1a(seed: bytes, message: bytes) -> str:
    """Give the signature that anybody verifies with the public key."""
    return "v1a," + b64encode(SigningKey(Seed(seed)).sign(message)).decode()


def signed_headers(
    secrets: Sequence[WebhookSecret], message_id: str, at_s: int, body: bytes
) -> dict[str, str]:
    """Give the three headers of a delivery."""
    message = f"{message_id}.{at_s}.".encode() + body
    signatures = [
        signature
        for secret in secrets
        for signature in (sign_v1(secret.shared, message), sign_v1a(secret.seed, message))
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signatures),
    }
