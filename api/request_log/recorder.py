"""Notes requests of keys off their way: in memory first, into the database in batches.

Noting costs a request no wait. Of a key that asks faster than it is written only its last thousand
are kept, as in the database; past `PENDING_MAX` in all, nothing more is noted until the next batch
is written: a log may have gaps, and must never slow or fill what it tells of.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from ulid import ULID

from api.access.principals import KeyHolder
from api.db.faults import DATABASE_FAULTS, describe
from api.errors import ApiFault
from api.http.unlogged import hide_codes, holds_code
from api.request_log import store
from api.request_log.model import (
    BODY_BYTES_MAX,
    HEADER_CHARS_MAX,
    KEPT_A_KEY,
    SHOWN_HEADERS,
    KeptParts,
    LoggedRequest,
)

FLUSH_S: Final = 2.0
LAST_FLUSH_S: Final = 1.0
PENDING_MAX: Final = 10_000
KEPT_MS: Final = 30 * 86_400_000
FORGET_EVERY: Final = 1_800
"""Flushes between two looks for what is too old: an hour."""
PATH_CHARS_MAX: Final = 1_024

log = structlog.get_logger("request_log")


class Recorder:
    """What was asked lately and is not written yet."""

    def __init__(self, engine: AsyncEngine, now_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ms = now_ms
        self._pending: dict[str, deque[LoggedRequest]] = {}
        self._count = 0

    def note(
        self,
        holder: KeyHolder,
        request: Request,
        kept: KeptParts,
        status: int,
        fault: ApiFault | None,
        took_ms: int,
    ) -> None:
        """Note a request of a key, as far as it is `kept`, and its answer."""
        ring = self._pending.setdefault(holder.key_id, deque(maxlen=KEPT_A_KEY))
        if len(ring) < KEPT_A_KEY:
            if self._count >= PENDING_MAX:
                return
            self._count += 1
        scope, body, now_ms = request.scope, kept.body, self._now_ms()
        ring.append(
            LoggedRequest(
                id=str(ULID.from_timestamp(now_ms)),
                merchant_id=holder.merchant_id,
                key_id=holder.key_id,
                request_id=scope.get("state", {}).get("request_id", ""),
                at_ms=now_ms,
                method=scope["method"],
                path=_clean(kept.path, PATH_CHARS_MAX),
                query=_clean(kept.query, PATH_CHARS_MAX),
                headers=_headers(request),
                body=None if body is None else _clean(_text(body), BODY_BYTES_MAX),
                body_cut=body is not None and len(body) > BODY_BYTES_MAX,
                status=status,
                code="" if fault is None else fault.code,
                errors=() if fault is None else _errors(fault),
                took_ms=took_ms,
            )
        )

    async def run(self) -> None:
        """Write what was noted, until cancelled; then what is left."""
        try:
            await self._run()
        finally:
            with contextlib.suppress(*DATABASE_FAULTS, TimeoutError):
                async with asyncio.timeout(LAST_FLUSH_S):
                    await self.flush()

    async def _run(self) -> None:
        flushes = 0
        while True:
            await asyncio.sleep(FLUSH_S)
            flushes += 1
            try:
                await self.flush()
                if flushes % FORGET_EVERY == 1:
                    async with self._engine.begin() as connection:
                        await store.forget(connection, self._now_ms() - KEPT_MS)
            except DATABASE_FAULTS as fault:
                log.warning("requests not logged", fault=describe(fault))

    async def flush(self) -> None:
        """Write what was noted until now; what can't be written is dropped."""
        pending, self._pending, self._count = self._pending, {}, 0
        requests = [request for ring in pending.values() for request in ring]
        if requests:
            async with self._engine.begin() as connection:
                await store.write(connection, requests)


def _headers(request: Request) -> tuple[tuple[str, str], ...]:
    """Give the headers that are kept; one that holds a code is left out whole."""
    shown = ((name, request.headers.get(name, "")) for name in SHOWN_HEADERS)
    return tuple(
        (name, _clean(value, HEADER_CHARS_MAX))
        for name, value in shown
        if value and not holds_code(value)
    )


def _errors(fault: ApiFault) -> tuple[tuple[str, str], ...]:
    return tuple((_clean(hide_codes(e.pointer), PATH_CHARS_MAX), e.code) for e in fault.errors)


def _text(raw: bytes) -> str:
    return raw[:BODY_BYTES_MAX].decode("utf-8", "replace")


def _clean(text: str, chars_max: int) -> str:
    """Make text that the database takes: it has no place for NUL and for halves of pairs."""
    cut = text[:chars_max]
    if cut.isascii() and "\0" not in cut:
        return cut
    return cut.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
