"""Verify a webhook with nothing but the standard library: `v1`, HMAC-SHA256.

verify(body, headers, "whsec_...") gives the event, or raises ValueError. Give it the body's bytes
as they came. With the public key `whpk_...` and PyNaCl, `v1a` is verified in the same way.
"""

import base64
import hashlib
import hmac
import json
import time

TOLERANCE_S = 300


def verify(body: bytes, headers: dict, secret: str) -> dict:
    """Give the event of a delivery that was signed with the secret, in the last five minutes."""
    told = {name.lower(): value for name, value in headers.items()}
    stamp = told["webhook-timestamp"]
    if abs(time.time() - int(stamp)) > TOLERANCE_S:
        raise ValueError("signed too long ago")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    message = f"{told['webhook-id']}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()
    signatures = told["webhook-signature"].split(" ")
    if not any(hmac.compare_digest(f"v1,{expected}", one) for one in signatures):
        raise ValueError("no signature holds")
    return json.loads(body)
