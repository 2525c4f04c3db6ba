"""A partner's synchronous client against a rig: its requests are served by the rig's own loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx

from api.client import PaymentsClient
from tests.support.api.service_rig import ServiceRig

T = TypeVar("T")
NAP_S_MAX = 0.5


class Bridge(httpx.BaseTransport):
    """Carries requests from a thread to the service in the loop."""

    def __init__(self, rig: ServiceRig, loop: asyncio.AbstractEventLoop) -> None:
        self._rig, self._loop = rig, loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sent = self._rig.http.request(
            request.method, str(request.url), content=request.read(), headers=request.headers
        )
        answer = asyncio.run_coroutine_threadsafe(sent, self._loop).result(timeout=30)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


def nap(seconds: float) -> None:
    """Wait as a client does, but never as long as it is told to: nobody else needs the time."""
    time.sleep(min(seconds, NAP_S_MAX))


async def as_partner(rig: ServiceRig, act: Callable[[PaymentsClient], T], *, key: str = "") -> T:
    """Let a partner's program run in a thread of its own."""
    bridge = Bridge(rig, asyncio.get_running_loop())

    def run() -> T:
        url, own = "http://milk.example", key or rig.key
        with PaymentsClient(url, own, transport=bridge, sleep=nap) as payments:
            return act(payments)

    return await asyncio.to_thread(run)


Act = Callable[[ServiceRig], Awaitable[None]]
