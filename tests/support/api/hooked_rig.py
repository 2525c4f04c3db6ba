"""A rig whose merchants have webhooks, and what tests ask of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from standardwebhooks import Webhook
from ulid import ULID

from tests.support.api.callers import Callers
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.api.webhook_receiver import Received
from tests.support.system.patience import PATIENCE_S

PATH = "/api/v1/webhook-endpoints"
LOG = "/api/v1/webhook-deliveries"
CALLERS = Callers()


@asynccontextmanager
async def hooked_rig(database: TestDatabase, **options: Any) -> AsyncIterator[ServiceRig]:
    async with running_rig(database, **options) as rig:
        rig.service.gate.readers.append(CALLERS)
        yield rig


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: Any
) -> None:
    async def run() -> None:
        async with hooked_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


def named(rig: ServiceRig, secret: str = "") -> dict[str, str]:
    return rig.till(secret, **{"Idempotency-Key": str(ULID())})


async def make(rig: ServiceRig, url: str, secret: str = "", **more: Any) -> dict[str, Any]:
    answer = await rig.http.post(PATH, json={"url": url, **more}, headers=named(rig, secret))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return {**made["webhookEndpoint"], "secret": made["secret"]}


async def log_of(rig: ServiceRig, **query: str) -> list[dict[str, Any]]:
    return (await rig.http.get(LOG, params=query, headers=rig.till())).json()["data"]


async def logged(rig: ServiceRig, reached: Callable[[list[dict[str, Any]]], bool]) -> Any:
    """Wait for a state of the log."""
    async with asyncio.timeout(PATIENCE_S):
        while not reached(found := await log_of(rig)):  # noqa: ASYNC110 - see `until`
            await asyncio.sleep(0.02)
    return found


async def attempted(rig: ServiceRig, count: int) -> None:
    """Wait until so many tries have ended: what they change is written with them."""
    async with asyncio.timeout(PATIENCE_S):
        while await rig.scalar("SELECT count(*) FROM webhook_attempts") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def send_test(rig: ServiceRig, endpoint: dict[str, Any]) -> httpx.Response:
    return await rig.http.post(f"{PATH}/{endpoint['id']}/test", headers=named(rig))


def verified(received: Received, secret: str) -> Any:
    """Read a delivery as a stranger's library does."""
    return Webhook(secret).verify(received.body, received.headers)
