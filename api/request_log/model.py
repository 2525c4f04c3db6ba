"""What is kept of a request: enough to see what was wrong and to send it again, and no secret.

The credential is never kept, nor what `api.request_log.hiding` hides.
"""

import shlex
from dataclasses import dataclass
from typing import Final

KEPT_A_KEY: Final = 1_000
"""How many requests of a key are kept."""
BODY_BYTES_MAX: Final = 2_048
"""A longer body is cut, and so can't be sent again from the log."""
SHOWN_HEADERS: Final = ("content-type", "idempotency-key", "prefer", "accept", "accept-language")
"""Headers that are kept: none of them holds a secret."""
HEADER_CHARS_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class KeptParts:
    """Where a request went and what it said, without what is hidden. No body: none is kept."""

    path: str
    query: str
    body: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """A request of a key, and how it was answered. `errors` are pointers with their codes."""

    id: str
    merchant_id: str
    key_id: str
    request_id: str
    at_ms: int
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: str | None
    body_cut: bool
    status: int
    code: str
    errors: tuple[tuple[str, str], ...]
    took_ms: int


def curl_of(logged: LoggedRequest, public_url: str) -> str:
    """Write a request as a command that sends it again; the key is taken from `$BILLCOIN_KEY`."""
    url = f"{public_url}{logged.path}" + (f"?{logged.query}" if logged.query else "")
    parts = [f"curl -X {logged.method} {shlex.quote(url)}"]
    parts.append('-H "Authorization: Bearer $BILLCOIN_KEY"')
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in logged.headers]
    if logged.body_cut:
        parts.append("--data-binary @body.json")
    elif logged.body is not None:
        parts.append(f"--data-binary {shlex.quote(logged.body)}")
    return " \\\n  ".join(parts)
