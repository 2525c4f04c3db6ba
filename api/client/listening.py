"""`billcoin webhooks listen`: a merchant's events, sent to a program on one's own machine.

It reads `GET /api/v1/events` with an API key and posts each event as the service would, signed with
a secret that is drawn for this run. Nothing on this machine needs to be reached from outside.
"""

import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from hmac import digest
from secrets import token_bytes

import httpx
import msgspec

from api.client.calls import PaymentsClient
from api.client.schemas import Event


class Forwarder:
    """Posts events to one address, in order."""

    def __init__(
        self,
        payments: PaymentsClient,
        url: str,
        say: Callable[[str], None],
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._payments = payments
        self._url = url
        self._say = say
        self._key = token_bytes(32)
        self._http = httpx.Client(timeout=10, trust_env=False, transport=transport)

    @property
    def secret(self) -> str:
        """Give what the receiver verifies with."""
        return "whsec_" + b64encode(self._key).decode()

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def newest(self) -> int:
        """Give the sequence of the last event that there is: what comes after it is forwarded.

        It is looked for by leaps that double, and then by halves: of millions, a few are read.
        """
        last, beyond = 0, 1
        while (found := self._payments.event_after(beyond - 1)) is not None:
            last, beyond = found.sequence, 2 * found.sequence + 1
        # There is an event `last`, and none at `beyond` or after it.
        while last + 1 < beyond:
            middle = (last + beyond) // 2
            found = self._payments.event_after(middle - 1)
            last, beyond = (last, middle) if found is None else (found.sequence, beyond)
        return last

    def forward(self, after: int) -> int:
        """Forward what happened beyond a sequence; give the last one's."""
        for event in self._payments.events(after):
            self._say(f"{event.sequence:>6}  {event.type:<24} {self._post(event)}")
            after = event.sequence
        return after

    def _post(self, event: Event) -> str:
        body = msgspec.json.encode(event)
        stamp = str(int(time.time()))
        signed = digest(self._key, f"{event.id}.{stamp}.".encode() + body, sha256)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": stamp,
            "webhook-signature": "v1," + b64encode(signed).decode(),
        }
        try:
            return str(self._http.post(self._url, content=body, headers=headers).status_code)
        except httpx.HTTPError as fault:
            return type(fault).__name__
