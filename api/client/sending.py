"""Requests, sent again while nobody answers: each counts once, by its key or by its nature.

Sent again is what got no answer, and what was told to wait (409 IDEMPOTENCY_IN_PROGRESS, 429, 502,
503, 504): after what `Retry-After` says, else after longer and longer waits with some chance in
them. Nothing else is: a refusal stays one.
"""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
import msgspec

from api.client.faults import NobodyAnswered, PaymentsProblem
from api.client.schemas import ProblemPointer

AGAIN: Final = frozenset({429, 502, 503, 504})
TRIES: Final = 5
FIRST_WAIT_S: Final = 0.25
WAIT_S_MAX: Final = 30.0
TIMEOUT_S: Final = 30.0
IN_PROGRESS: Final = "IDEMPOTENCY_IN_PROGRESS"


class _RefusalTold(msgspec.Struct, rename="camel"):
    """A problem's body, whoever wrote it."""

    code: str = ""
    detail: str = ""
    request_id: str = ""
    errors: tuple[ProblemPointer, ...] = ()


class Sending:
    """One service, one key."""

    def __init__(
        self,
        base_url: str,
        key: str,
        transport: httpx.BaseTransport | None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            timeout=TIMEOUT_S,
            transport=transport,
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """Send until it is answered; give the body. Raise `PaymentsProblem` or `NobodyAnswered`."""
        content = None if body is None else msgspec.json.encode(body)
        told = dict(headers or {})
        if content is not None:
            told["Content-Type"] = "application/json"
        fault: Exception = NobodyAnswered("not tried")
        for tried in range(TRIES):
            wait_s = min(FIRST_WAIT_S * 2**tried, WAIT_S_MAX) * random.uniform(0.5, 1)  # noqa: S311
            try:
                answer = self._http.request(
                    method, path, content=content, params=params, headers=told
                )
            except httpx.TransportError as lost:
                fault = NobodyAnswered(f"{method} {path}: {type(lost).__name__}")
            else:
                if answer.is_success:
                    return answer.content
                fault = problem_of(answer)
                if answer.status_code not in AGAIN and fault.code != IN_PROGRESS:
                    raise fault
                wait_s = max(wait_s, _asked_s(answer))
            if tried < TRIES - 1:
                self._sleep(wait_s)
        raise fault


def problem_of(answer: httpx.Response) -> PaymentsProblem:
    """Read a refusal; one that is no problem in JSON has its status alone."""
    try:
        told = msgspec.json.decode(answer.content, type=_RefusalTold)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = _RefusalTold()
    return PaymentsProblem(answer.status_code, told.code, told.detail, told.request_id, told.errors)


def _asked_s(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), WAIT_S_MAX) if text.isascii() and text.isdecimal() else 0.0
