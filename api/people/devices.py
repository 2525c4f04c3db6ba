"""Known devices: a browser in which a login was right before.

Its cookie names it and is bound to the login, so tries from it are counted apart: a stranger who
guesses passwords shuts out strangers, and the owner still gets in (OWASP: device cookies).
"""

import hmac
import re
import secrets
from hashlib import sha256
from typing import Final

from api.vault.blind import fold
from api.vault.files import subkey

_COOKIE: Final = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})", re.ASCII)


def device_cookie(key: bytes, union_id: str, login_name: str, device: str) -> str:
    """Write the cookie of a device, known before or not."""
    name = device or secrets.token_hex(16)
    return f"{name}.{_tag(key, union_id, login_name, name)}"


def known_device(key: bytes, union_id: str, login_name: str, cookie: str) -> str:
    """Give the name of a device that a login was right in; empty for a stranger's."""
    match = _COOKIE.fullmatch(cookie)
    if match is None:
        return ""
    good = hmac.compare_digest(match[2], _tag(key, union_id, login_name, match[1]))
    return match[1] if good else ""


def _tag(key: bytes, union_id: str, login_name: str, name: str) -> str:
    text = union_id.encode() + b"|" + fold(login_name) + b"|" + name.encode()
    return hmac.digest(subkey(key, "device"), text, sha256).hex()
