"""The desk of flags: looks at what happened through the detectors, raises, and lets people decide.

One worker looks, as one sweeps. What is raised is written with its event and its notice in one
transaction; looking twice at the same is raising once. Times are the database's.
"""

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.attempts.store import KEPT_MS, forget_attempts
from api.db.session import database_ms, in_transaction
from api.db.statements import text
from api.errors import Forbidden, NotFound
from api.events.outbox import NewEvent, write_events
from api.flags import detectors, facts, store
from api.flags.model import Detector, Fact, Flag, FlagEvent, NoteKind, Suspicion
from api.flags.notices import add_notice
from api.flags.opening import OpeningHours, parse_hours
from api.flags.rules import after
from api.flags.slack import escape
from api.flags.thresholds import DAY_MS, HOUR_MS, WATCHES
from api.metrics import Metrics
from api.people.means import Actor
from api.tenants.zones import zone_of

NOTICE_EVERY_MS: Final = HOUR_MS
"""A flag that stands is told again no sooner."""
FORGET_MS: Final = 90 * DAY_MS
FORGET_EVERY_S: Final = 600.0
PAYERS: Final = ("user:", "payer:")

log = structlog.get_logger("flags")


class FlagDesk:
    """Raises flags and lets them be decided. `public_url` is where a notice leads to."""

    def __init__(
        self,
        engine: AsyncEngine,
        metrics: Metrics,
        public_url: str,
        *,
        told: bool,
    ) -> None:
        self._engine, self._metrics = engine, metrics
        self._public_url, self._told = public_url, told
        self._looked_s: dict[Detector, float] = {}
        self._forgot_s = monotonic()

    async def sweep(self) -> None:
        """Look through every detector whose turn it is."""
        now_s = monotonic()
        for detector, watch in WATCHES.items():
            if now_s - self._looked_s.get(detector, float("-inf")) >= watch.every_ms / 1_000:
                self._looked_s[detector] = now_s
                await self.look(detector)
        if now_s - self._forgot_s >= FORGET_EVERY_S:
            self._forgot_s = now_s
            await self._forget()

    async def look(self, detector: Detector) -> list[str]:
        """Look through one detector; give the ids of flags that are new."""
        async with self._engine.connect() as connection:
            now_ms = await database_ms(connection)
            since_ms = now_ms - WATCHES[detector].window_ms
            findings = await self._find(connection, detector, since_ms)
        if not findings:
            return []

        async def work(connection: AsyncConnection) -> list[tuple[str, Suspicion]]:
            return await self._raise(connection, findings, now_ms)

        fresh = await in_transaction(self._engine, work)
        for flag_id, finding in fresh:
            self._metrics.flags_raised.labels(finding.detector).inc()
            if finding.subject.startswith(PAYERS):
                self._metrics.users_flagged.inc()
            log.warning("flag raised", flag=flag_id, detector=str(finding.detector))
        return [flag_id for flag_id, _ in fresh]

    async def _find(
        self, connection: AsyncConnection, detector: Detector, since_ms: int
    ) -> list[Suspicion]:
        if detector is Detector.SETTLEMENT_DRIFT:
            return detectors.settlement_drift(await facts.books(connection, since_ms))
        released = await store.released_since(connection, [detector], since_ms)

        def left(found: Sequence[Fact]) -> list[Fact]:
            """Leave out what a person has looked at and released."""
            places = ((detector, fact.merchant_id, fact.subject) for fact in found)
            until = [released.get(place, 0) for place in places]
            return [fact for fact, ms in zip(found, until, strict=True) if fact.at_ms > ms]

        match detector:
            case Detector.FAILED_VALIDATIONS:
                read = await facts.failed_attempts(connection, since_ms)
                return detectors.failed_validations(left(read))
            case Detector.ATTEMPT_RATE:
                read = await facts.notes(connection, NoteKind.ATTEMPT_REFUSED, since_ms)
                return detectors.attempt_rate(left(read))
            case Detector.CALLER_ERRORS:
                read = await facts.notes(connection, NoteKind.CALLER_ERROR, since_ms)
                return detectors.caller_errors(left(read))
            case Detector.DEVICE_COUPONS:
                read = await facts.notes(connection, NoteKind.COUPON_USED, since_ms)
                return detectors.device_coupons(left(read))
            case Detector.CASHIER_REFUNDS:
                return detectors.cashier_refunds(
                    left(await facts.refunds_asked(connection, since_ms))
                )
            case Detector.ADDRESS_SHARED:
                return detectors.address_shared(
                    left(await facts.wallets_linked(connection, since_ms))
                )
        hours = await _hours_by_id(connection)
        return detectors.outside_hours(left(await facts.sales(connection, since_ms)), hours)

    async def _raise(
        self, connection: AsyncConnection, findings: Sequence[Suspicion], now_ms: int
    ) -> list[tuple[str, Suspicion]]:
        places = sorted({finding.merchant_id for finding in findings})
        shops = await _shops(connection, places)
        fresh, events = [], []
        for finding in findings:
            union_id, name = shops.get(finding.merchant_id, (finding.merchant_id, ""))
            of = finding if name else replace(finding, merchant_id="")
            flag_id = str(ULID.from_timestamp(now_ms))
            raised = await store.raise_flag(
                connection, union_id, flag_id, of, now_ms, NOTICE_EVERY_MS
            )
            if raised is None:
                continue
            if raised.due and self._told:
                body = self._notice(of, name, raised.flag_id)
                await add_notice(connection, union_id, body, now_ms)
            if raised.fresh:
                fresh.append((raised.flag_id, of))
                if name:
                    events.append(_raised_event(of, raised.flag_id, now_ms))
        await write_events(connection, events)
        return fresh

    def _notice(self, finding: Suspicion, shop: str, flag_id: str) -> str:
        """Tell of a flag: no name of a person, no account and no amount that is theirs."""
        at = f" at {escape(shop)}" if shop else ""
        return (
            f":warning: *{finding.detector}*{at}: {escape(finding.explanation_en)}. "
            f"Flag {flag_id}: {self._public_url}/api/v1/flags/{flag_id}"
        )

    async def decide(
        self,
        connection: AsyncConnection,
        actor: Actor,
        merchant_id: str,
        flag_id: str,
        event: FlagEvent,
        reason: str,
    ) -> Flag:
        """Confirm or release a flag, with a reason; never one about oneself. Twice is once."""
        flag = await store.find_flag(connection, actor.union_id, flag_id, lock=True)
        if flag is None or (merchant_id and flag.merchant_id != merchant_id):
            raise NotFound("there is no such flag")
        if flag.subject == f"user:{actor.user_id}":
            raise Forbidden("this flag is about you", code="NOT_YOURS_TO_DECIDE")
        state = after(flag.state, event)
        if state is flag.state:
            return flag
        decided = replace(
            flag,
            state=state,
            decided_by=actor.user_id,
            reason=reason,
            decided_ms=await database_ms(connection),
        )
        await store.store_decision(connection, flag, decided)
        return decided

    async def _forget(self) -> None:
        async with self._engine.begin() as connection:
            now_ms = await database_ms(connection)
            await forget_attempts(connection, now_ms - KEPT_MS)
            await facts.forget_notes(connection, now_ms - KEPT_MS)
            await store.forget_flags(connection, now_ms - FORGET_MS)


async def _hours_by_id(connection: AsyncConnection) -> dict[str, OpeningHours]:
    """Read when shops are open, each by its own clock; those that tell no hours are left out."""
    rows = await connection.execute(
        text("SELECT id, opens, closes, time_zone FROM merchants WHERE opens <> ''")
    )
    found = {row.id: parse_hours(row.opens, row.closes, zone_of(row.time_zone)) for row in rows}
    return {name: hours for name, hours in found.items() if hours is not None}


async def _shops(
    connection: AsyncConnection, merchant_ids: Sequence[str]
) -> dict[str, tuple[str, str]]:
    """Give union and name of merchants; what is none of them is a union itself."""
    rows = await connection.execute(
        text("SELECT id, union_id, name FROM merchants WHERE id = ANY(CAST(:ids AS text[]))"),
        {"ids": list(merchant_ids)},
    )
    return {row.id: (row.union_id, row.name) for row in rows}


def _raised_event(finding: Suspicion, flag_id: str, now_ms: int) -> NewEvent:
    body = {"id": flag_id, "detector": str(finding.detector), "score": finding.score}
    return NewEvent("flag.raised", finding.merchant_id, flag_id, body, now_ms)
