"""Whether a delivery came from the service: Standard Webhooks, `v1` and `v1a`.

Verify the body's bytes as they came, before anything reads them.
"""

import hmac
import time
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from api.client.faults import BadWebhook
from api.client.schemas import Event

TOLERANCE_S: Final = 300
STAMP_DIGITS_MAX: Final = 12
SHARED: Final = "whsec_"
PUBLIC: Final = "whpk_"


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    keys: str | Sequence[str],
    *,
    now_s: Callable[[], float] = time.time,
) -> Event:
    """Give the event of a delivery that one of the keys vouches for; raise `BadWebhook`.

    `keys` are secrets (`whsec_...`) or public keys (`whpk_...`): while one is exchanged, both.
    """
    told = {name.lower(): value for name, value in headers.items()}
    message_id, stamp = told.get("webhook-id", ""), told.get("webhook-timestamp", "")
    if not (message_id and message_id.isascii()) or not _is_time(stamp):
        raise BadWebhook("a delivery bears webhook-id and webhook-timestamp")
    if abs(now_s() - int(stamp)) > TOLERANCE_S:
        raise BadWebhook("it was signed too long ago, or in the future")
    message = f"{message_id}.{stamp}.".encode() + body
    signatures = told.get("webhook-signature", "").split(" ")
    for key in (keys,) if isinstance(keys, str) else keys:
        if any(_holds(key, signature, message) for signature in signatures):
            return _read(body)
    raise BadWebhook("no signature holds")


def _is_time(stamp: str) -> bool:
    return stamp.isascii() and stamp.isdecimal() and len(stamp) <= STAMP_DIGITS_MAX


def _holds(key: str, signature: str, message: bytes) -> bool:
    version, _, text = signature.partition(",")
    try:
        raw = b64decode(text, validate=True)
        if version == "v1" and key.startswith(SHARED):
            made = hmac.digest(b64decode(key.removeprefix(SHARED)), message, sha256)
            return hmac.compare_digest(made, raw)
        if version == "v1a" and key.startswith(PUBLIC):
            VerifyKey(b64decode(key.removeprefix(PUBLIC))).verify(message, raw)
            return True
    except (BadSignatureError, ValueError):
        return False
    return False


def _read(body: bytes) -> Event:
    try:
        return msgspec.json.decode(body, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadWebhook(f"what was signed is no event: {fault}") from None
