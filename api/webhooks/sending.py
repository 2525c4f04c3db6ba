"""One try: a signed body goes to an address that was looked up once.

The connection goes to the address that was judged, with the host's own name for TLS and in `Host`.
No redirect is followed, no proxy asked, no answer's body read, and nothing takes longer than
`TRY_S`. Connections are not kept: the next one is judged anew.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx
import structlog

from api.webhooks.addresses import AddressFault, check_url
from api.webhooks.lookups import Lookups

TRY_S: Final = 20.0
"""More than a look-up and all phases take, but for a receiver that sends its answer in drops: to be
cut off in a handshake would leave a socket behind."""
PHASE_S: Final = 4.0
"""For connecting, for TLS, for sending, and for the first of the answer, each."""
USER_AGENT: Final = "BillCoin-Webhooks/1"
_FAULTS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (httpx.TimeoutException, "TIMEOUT"),
    (httpx.ConnectError, "NOT_CONNECTED"),
    (httpx.HTTPError, "CONNECTION_BROKEN"),
    (httpx.InvalidURL, "NOT_A_URL"),
    (TimeoutError, "TIMEOUT"),
    (OSError, "CONNECTION_BROKEN"),
)

log = structlog.get_logger("webhooks")


@dataclass(frozen=True, slots=True)
class Tried:
    """What a try came to: a status, or a code for why there is none."""

    status: int | None
    code: str
    asked_s: int = 0
    """How long the receiver asked to be left alone."""

    @property
    def taken(self) -> bool:
        """Tell whether the receiver has it now."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Tell whether the receiver wants nothing any more."""
        return self.status == 410


class Sender:
    """Sends bodies to webhooks."""

    def __init__(self, *, livemode: bool) -> None:
        self._livemode = livemode
        self._lookups = Lookups(livemode=livemode)
        self._client = httpx.AsyncClient(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(PHASE_S),
            verify=ssl.create_default_context(),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            headers={"User-Agent": USER_AGENT},
        )

    async def close(self) -> None:
        """Close what is open."""
        self._lookups.close()
        await self._client.aclose()

    async def send(
        self, merchant_id: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Tried:
        """Try once, for a merchant."""
        try:
            async with asyncio.timeout(TRY_S):
                return await self._send(merchant_id, url, body, headers)
        except AddressFault as fault:
            return Tried(None, fault.code)
        except Exception as fault:  # Whatever a stranger answers ends no worker.
            known = (code for kind, code in _FAULTS if isinstance(fault, kind))
            code = next(known, "")
            if not code:
                log.warning("odd fault", fault=type(fault).__name__)
                code = "CONNECTION_BROKEN"
            return Tried(None, "BAD_CERTIFICATE" if _is_of_tls(fault) else code)

    async def _send(
        self, merchant_id: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Tried:
        parts = check_url(url, livemode=self._livemode)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = await self._lookups.resolve(merchant_id, host, port)
        pinned = httpx.URL(url).copy_with(host=str(address), port=port)
        request = self._client.build_request(
            "POST",
            pinned,
            content=body,
            headers={
                **headers,
                "Host": parts.netloc,
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
            },
            extensions={"sni_hostname": host},
        )
        answer = await self._client.send(request, stream=True)
        try:
            return Tried(answer.status_code, "", _asked_s(answer))
        finally:
            await answer.aclose()


def _asked_s(answer: httpx.Response) -> int:
    """Read `Retry-After` in seconds; a date is not heard."""
    text = answer.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else 0


def _is_of_tls(fault: BaseException | None) -> bool:
    while fault is not None:
        if isinstance(fault, ssl.SSLError):
            return True
        fault = fault.__cause__ or fault.__context__
    return False
