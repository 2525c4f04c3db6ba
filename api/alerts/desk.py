"""Finds what has to be looked after, says when it is mended, and lets people say that they know.

One worker looks, as one sweeps. An alert, its notice to the operations channel and its end are each
one transaction; looking twice at the same is raising once. A flag's own notice tells of it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.alerts import store
from api.alerts.facts import fresh_troubles, mended_alerts
from api.alerts.model import Alert, AlertEvent, AlertKind, AlertState, FoundTrouble
from api.alerts.rules import WORDS, after
from api.db.faults import DATABASE_FAULTS, describe
from api.db.session import in_transaction
from api.errors import NotFound
from api.flags.notices import add_notice

LOOK_S: Final = 10.0
FORGET_MS: Final = 90 * 86_400_000
TOLD_BY_ITSELF: Final = frozenset({AlertKind.FLAG_OPEN})

log = structlog.get_logger("alerts")


class AlertDesk:
    """Raises and ends alerts. `public_url` is where a notice leads to."""

    def __init__(
        self,
        engine: AsyncEngine,
        now_ms: Callable[[], int],
        litre_sen: int,
        public_url: str,
        *,
        told: bool,
    ) -> None:
        self._engine, self._now_ms, self._litre_sen = engine, now_ms, litre_sen
        self._public_url, self._told = public_url, told

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.sweep()
            except DATABASE_FAULTS as fault:
                log.warning("put off", fault=describe(fault))

    async def sweep(self) -> None:
        """Look for every kind once."""
        for kind in AlertKind:
            await in_transaction(self._engine, partial(self._look, kind))
        async with self._engine.begin() as connection:
            await store.forget_alerts(connection, self._now_ms() - FORGET_MS)

    async def _look(self, kind: AlertKind, connection: AsyncConnection) -> None:
        now_ms, litre_sen = self._now_ms(), self._litre_sen
        for union_id, alert_id in await mended_alerts(connection, kind, now_ms, litre_sen):
            alert = await store.find_alert(connection, union_id, alert_id, lock=True)
            if alert is not None and alert.state is not AlertState.OVER:
                over = replace(alert, state=after(alert.state, AlertEvent.MENDED), over_ms=now_ms)
                await store.store_alert(connection, alert, over)
        fresh = await fresh_troubles(connection, kind, now_ms, litre_sen)
        for trouble in sorted(fresh, key=_place):
            alert_id = str(ULID.from_timestamp(now_ms))
            raised = await store.raise_alert(connection, trouble, alert_id, now_ms)
            if raised and self._told and kind not in TOLD_BY_ITSELF:
                await add_notice(connection, trouble.union_id, self._notice(kind, alert_id), now_ms)

    def _notice(self, kind: AlertKind, alert_id: str) -> str:
        """Tell of an alert: no name of a person, no account and no amount."""
        link = f"{self._public_url}/api/v1/alerts/{alert_id}"
        return f":rotating_light: *{kind}*: {WORDS[kind][0]}. Alert {alert_id}: {link}"

    async def acknowledge(
        self,
        connection: AsyncConnection,
        union_id: str,
        merchant_id: str,
        alert_id: str,
        user_id: str,
    ) -> Alert:
        """Let somebody say that they look after it; who said so first stays."""
        alert = await store.find_alert(connection, union_id, alert_id, lock=True)
        if alert is None or (merchant_id and alert.merchant_id != merchant_id):
            raise NotFound("there is no such alert")
        state = after(alert.state, AlertEvent.ACKNOWLEDGE)
        if state is alert.state:
            return alert
        known = replace(alert, state=state, acknowledged_by=user_id, acknowledged_ms=self._now_ms())
        await store.store_alert(connection, alert, known)
        return known


def _place(trouble: FoundTrouble) -> tuple[str, str, str]:
    return trouble.union_id, trouble.merchant_id, trouble.subject
