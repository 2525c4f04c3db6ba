"""The signer's way to the payments service: it asks for work, and hands bytes or refusals back.

What comes back is bounded in size and read strictly: a request that says more than this signer
understands is not understood at all.
"""

from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

import httpx
import msgspec
from msgspec import Struct

from api.signing.process.errors import SignerFault
from api.signing.wire import (
    LeaseAnswer,
    LeasedRequest,
    LeaseRequest,
    RefusalRequest,
    SignatureRequest,
)

BASE: Final = "/api/v1/signing-requests"
LEASE_WAIT_S: Final = 20
TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 256 * 1024
_PASSING: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)
"""Refusals that say something of this moment, not of the request."""


class ServiceSilent(SignerFault):
    """No usable answer from the payments service. Ask again: everything here may be repeated."""


class ServiceDeclined(SignerFault):
    """The service wants none of it: the request is not there, or not ours any more."""


class ServiceClient:
    """A connection to the payments service, as whoever the token says."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"),
            transport=transport,
            timeout=httpx.Timeout(TIMEOUT_S, connect=3.0),
            follow_redirects=False,
            trust_env=False,
            headers={"accept-encoding": "identity", "content-type": "application/json"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def lease(
        self, token: str, limit: int, wait_s: int = LEASE_WAIT_S
    ) -> list[LeasedRequest]:
        """Ask for up to `limit` requests; wait a while for the first. Raise `ServiceSilent`."""
        try:
            raw = await self._post("/lease", token, LeaseRequest(limit), wait_s)
            return list(msgspec.json.decode(raw, type=LeaseAnswer).data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise ServiceSilent(f"the service asks what nobody understands: {error}") from error
        except ServiceDeclined as fault:
            raise ServiceSilent(str(fault)) from fault

    async def hand_over(self, token: str, request_id: str, raw: bytes) -> None:
        """Hand over signed bytes; raise `ServiceSilent` or `ServiceDeclined`."""
        await self._post(f"/{request_id}/signature", token, SignatureRequest(raw.hex()))

    async def refuse(self, token: str, request_id: str, code: str, detail: str) -> None:
        """Say that nothing is signed; raise `ServiceSilent` or `ServiceDeclined`."""
        await self._post(f"/{request_id}/refusal", token, RefusalRequest(code, detail[:500]))

    async def _post(self, path: str, token: str, body: Struct, wait_s: int = 0) -> bytes:
        headers = {"authorization": f"Bearer {token}"}
        if wait_s:
            headers["prefer"] = f"wait={wait_s}"
        timeout = httpx.Timeout(TIMEOUT_S + wait_s, connect=3.0)
        try:
            async with self._http.stream(
                "POST",
                BASE + path,
                content=msgspec.json.encode(body),
                headers=headers,
                timeout=timeout,
            ) as answer:
                raw = bytearray()
                async for chunk in answer.aiter_bytes():
                    raw += chunk
                    if len(raw) > ANSWER_BYTES_MAX:
                        raise ServiceSilent(f"its answer is above {ANSWER_BYTES_MAX} bytes")
        except httpx.HTTPError as error:
            raise ServiceSilent(f"the service does not answer: {error!r}") from error
        status = answer.status_code
        if answer.is_success:
            return bytes(raw)
        told = f"the service answered {status}: {bytes(raw[:200]).decode('utf-8', 'replace')}"
        if answer.is_client_error and status not in _PASSING:
            raise ServiceDeclined(told)
        raise ServiceSilent(told)
