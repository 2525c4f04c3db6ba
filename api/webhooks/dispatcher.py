"""Sends what happened to those who want it. One worker does it, under a lease of its own.

Every endpoint has a lane: its events go one at a time, by their numbers. One that fails steps out
of line and is tried again by the schedule, while those behind it go on; after failures in a row
the lane rests, and goes on with its lowest number when the receiver is back. Lanes know nothing of
one another, and those that fail share a part of the places, so nobody's trouble holds anybody up.
"""

import asyncio
import contextlib
from collections.abc import Callable
from random import random
from time import monotonic
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe
from api.db.session import in_transaction
from api.events.kinds import EventKind
from api.events.outbox import NewEvent, write_events
from api.events.schemas import event_view
from api.vault.data_keys import Vault
from api.webhooks import deliveries, delivery_log
from api.webhooks.deliveries import Drawn, EndpointLane
from api.webhooks.model import (
    FARES_WELL,
    KEPT_MS,
    Attempt,
    DeliveryState,
    DisabledWhy,
    EndpointState,
)
from api.webhooks.schedule import is_given_up, next_try_ms, rest_ms
from api.webhooks.sending import Sender, Tried
from api.webhooks.signing import signed_headers
from api.webhooks.store import secrets_in_force
from node.client.tracing import HEADER

LANES_MAX: Final = 128
FAILING_LANES_MAX: Final = 32
"""Of all places, so many are for lanes whose last try failed."""
TURN_MAX: Final = 50
"""After so many events a lane makes room for others."""
TICK_S: Final = 0.25
FORGET_S: Final = 600.0

log = structlog.get_logger("webhooks")


class Dispatcher:
    """Makes deliveries of the outbox and sends them, while its worker leads."""

    def __init__(
        self,
        engine: AsyncEngine,
        vault: Vault,
        now_ms: Callable[[], int],
        *,
        livemode: bool,
        tick_s: float = TICK_S,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._now_ms = now_ms
        self._livemode = livemode
        self._tick_s = tick_s
        self._busy: dict[tuple[str, str], bool] = {}
        self._forgotten_s = float("-inf")

    async def run(self) -> None:
        """Send until cancelled."""
        sender = Sender(livemode=self._livemode)
        try:
            async with asyncio.TaskGroup() as lanes:
                while True:
                    try:
                        await self._step(lanes, sender)
                    except DATABASE_FAULTS as fault:
                        log.warning("put off", fault=describe(fault))
                    await asyncio.sleep(self._tick_s)
        finally:
            await sender.close()

    async def _step(self, lanes: asyncio.TaskGroup, sender: Sender) -> None:
        """Look once for what is new and what is due."""
        now_ms = self._now_ms()
        async with self._engine.begin() as connection:
            await deliveries.spread(connection, now_ms)
            due = await deliveries.lanes_due(connection, now_ms, 2 * LANES_MAX)
            if monotonic() - self._forgotten_s >= FORGET_S:
                await delivery_log.forget_deliveries(connection, now_ms - KEPT_MS)
                self._forgotten_s = monotonic()
        for lane in due:
            place, fails = (lane.merchant_id, lane.endpoint_id), lane.failures > 0
            if place not in self._busy and self._has_room(fails=fails):
                self._busy[place] = fails
                lanes.create_task(self._serve(lane, place, sender))

    def _has_room(self, *, fails: bool) -> bool:
        failing = sum(self._busy.values())
        return len(self._busy) < LANES_MAX and (not fails or failing < FAILING_LANES_MAX)

    async def _serve(self, lane: EndpointLane, place: tuple[str, str], sender: Sender) -> None:
        """Send what is due to one endpoint, until something fails or others shall have a turn."""
        try:
            with contextlib.suppress(*DATABASE_FAULTS):  # The claim ends, and it is tried again.
                for _ in range(TURN_MAX):
                    if not await self._send_next(lane, sender):
                        break
        finally:
            del self._busy[place]

    async def _send_next(self, lane: EndpointLane, sender: Sender) -> bool:
        """Send the next event; False if there is none or it was not taken."""
        now_ms = self._now_ms()
        async with self._engine.begin() as connection:
            drawn = await deliveries.draw(connection, lane, now_ms)
            if drawn is None:
                return False
            secrets = await secrets_in_force(
                connection, self._vault, lane.merchant_id, lane.endpoint_id, now_ms
            )
        event = drawn.event
        body = msgspec.json.encode(event_view(event, livemode=self._livemode))
        headers = signed_headers(secrets, event.id, now_ms // 1_000, body)
        if drawn.trace:
            headers[HEADER] = drawn.trace
        began_s = monotonic()
        tried = await sender.send(lane.merchant_id, drawn.url, body, headers)
        took_ms = int(1_000 * (monotonic() - began_s))
        attempt = Attempt(now_ms, took_ms, tried.status, tried.code)
        after_ms = self._now_ms()

        async def work(connection: AsyncConnection) -> None:
            await deliveries.note_attempt(connection, drawn, attempt)
            await settle_try(connection, drawn, tried, after_ms)

        await in_transaction(self._engine, work)
        return tried.taken


async def settle_try(connection: AsyncConnection, drawn: Drawn, tried: Tried, now_ms: int) -> None:
    """Write what a try changes: the delivery, and how its endpoint fares."""
    if tried.taken:
        await deliveries.settle_delivery(connection, drawn, DeliveryState.DELIVERED, now_ms, now_ms)
        if drawn.failures:
            await deliveries.settle_endpoint(connection, drawn, FARES_WELL)
        return
    since_ms = now_ms if drawn.failing_since_ms is None else drawn.failing_since_ms
    if tried.gone or is_given_up(since_ms, now_ms):
        why = DisabledWhy.GONE if tried.gone else DisabledWhy.FAILING
        await _disable(connection, drawn, why, now_ms)
        return
    again_ms = next_try_ms(drawn.tries, now_ms, random(), tried.asked_s)  # noqa: S311 - no secret
    state = DeliveryState.FAILED if again_ms is None else DeliveryState.PENDING
    await deliveries.settle_delivery(connection, drawn, state, again_ms or now_ms, now_ms)
    failures = drawn.failures + 1
    badly = {
        "failures": failures,
        "failing_since_ms": since_ms,
        "rest_until_ms": now_ms + rest_ms(failures),
    }
    await deliveries.settle_endpoint(connection, drawn, badly)


async def _disable(
    connection: AsyncConnection, drawn: Drawn, why: DisabledWhy, now_ms: int
) -> None:
    """Send an endpoint nothing more, and tell its merchant by the other ways."""
    merchant_id = drawn.event.merchant_id
    changes = {"state": EndpointState.DISABLED, "disabled_why": why}
    if not await deliveries.settle_endpoint(connection, drawn, changes):
        return
    await deliveries.fail_pending(connection, merchant_id, drawn.endpoint_id, now_ms)
    log.warning("endpoint disabled", merchant=merchant_id, endpoint=drawn.endpoint_id, why=why)
    body = {"endpointId": drawn.endpoint_id, "reason": why}
    told = NewEvent(EventKind.WEBHOOK_DISABLED, merchant_id, drawn.endpoint_id, body, now_ms)
    await write_events(connection, [told])
