"""Everything that watches, put together: limits, attempts, notes, flags, and the channel."""

import asyncio
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from api.access.principals import KeyHolder, Person, Principal, Terminal, name_of
from api.attempts.witness import AttemptWitness
from api.batcher import Batcher
from api.config import ApiConfig
from api.db.faults import DATABASE_FAULTS, describe
from api.flags.desk import FlagDesk
from api.flags.model import NoteKind
from api.flags.notebook import Notebook
from api.flags.slack import SlackChannel
from api.limits.counter import Limiter
from api.limits.doorkeeper import Doorkeeper
from api.limits.windows import LimitAsk, Quota
from api.metrics import Metrics
from api.payments.submission import AttemptGuard
from api.people.desks import Desks
from api.vault.blind import Purpose

LOOK_S: Final = 1.0
NOT_WRONG: Final = frozenset({401, 408, 423, 429})
"""Refusals that say nothing of what a caller does: its token ended, it was too often there."""

log = structlog.get_logger("flags")


class Watching:
    """One of each."""

    def __init__(
        self,
        engine: AsyncEngine,
        config: ApiConfig,
        metrics: Metrics,
        desks: Desks,
    ) -> None:
        now_ms = desks.means.now_ms

        def index_of(address: bytes) -> bytes:
            return desks.means.vault.index(Purpose.ADDRESS, address)

        self._validations = config.validate_per_minute
        self.limiter = Limiter(engine)
        self._quotas: Batcher[LimitAsk, Quota] = Batcher(self.limiter.take)
        self.doorkeeper = Doorkeeper(config.limits, self.count)
        self.notebook = Notebook(engine, now_ms)
        self.attempts = AttemptGuard(self.limiter, config.limits, self.notebook, metrics, index_of)
        self.witness = AttemptWitness(index_of).witness
        told = bool(config.slack_url)
        self.flags = FlagDesk(engine, metrics, config.public_url, told=told)
        self._channel = SlackChannel(engine, config.slack_url, now_ms) if told else None

    async def count(self, ask: LimitAsk) -> Quota:
        """Count one request; those that come together are counted together."""
        return await self._quotas.submit(ask)

    async def count_validation(self, merchant_id: str) -> Quota:
        """Count one validation of a merchant."""
        return await self.count(LimitAsk(f"validate:{merchant_id}", self._validations))

    def note_answer(self, principal: Principal, status: int, code: str) -> None:
        """Note a wrong request of a key or a till."""
        wrong = 400 <= status < 500 and status not in NOT_WRONG
        if wrong and isinstance(principal, KeyHolder | Terminal):
            self.note_error(principal, code)

    def note_error(self, principal: Principal, code: str) -> None:
        """Note that a key or a till asked for what is not so."""
        if isinstance(principal, KeyHolder | Terminal):
            shop, name = principal.merchant_id, name_of(principal)
            self.notebook.note(NoteKind.CALLER_ERROR, shop, name, code)

    def note_coupon(self, principal: Principal, merchant_id: str, coupon_id: str) -> None:
        """Note which device used a coupon: a till or a key, or the phone that one has logged in."""
        device = name_of(principal)
        if isinstance(principal, Person):
            device = f"session:{principal.session_id}"
        self.notebook.note(NoteKind.COUPON_USED, merchant_id, device, coupon_id)

    async def run(self) -> None:
        """Count and note, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._quotas.run())
            group.create_task(self.notebook.run())

    async def lead(self) -> None:
        """Look for what is odd, and tell the channel: one worker does it for all."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            if self._channel is not None:
                group.create_task(self._channel.run())

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.flags.sweep()
            except DATABASE_FAULTS as fault:
                log.warning("put off", fault=describe(fault))
