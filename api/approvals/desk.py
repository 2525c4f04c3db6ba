"""Asks, decides, and carries out what was decided.

Who adds a kind writes its rule (`api.approvals.rules`) and a `Carrier`: what is done in the
transaction of the verdict, or of the hour that the wish waits for. A carrier raises `ApiFault` if
the thing can't be done any more; then the wish has failed, and nothing of it was done.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.access.roles import Role
from api.approvals.model import Approval, ApprovalKind, ApprovalState, Decision
from api.approvals.rules import LIVES_MS, RULES, is_ripe, may_decide, next_state, standing_of
from api.approvals.store import (
    add_approval,
    lock_approval,
    lock_ripe,
    lock_subject,
    open_about,
    write_state,
)
from api.approvals.views import told_of_approval
from api.errors import ApiFault, Conflict, Forbidden, NotFound
from api.events.outbox import write_events
from api.people.means import Actor

RIPE_AT_ONCE: Final = 20
ONCE_AT_A_TIME: Final = frozenset({ApprovalKind.WALLET_REBIND, ApprovalKind.PAYOUT_CHANGE})

Carrier = Callable[[AsyncConnection, Approval], Awaitable[None]]


class ApprovalDesk:
    """The one mechanism for all that needs two people."""

    def __init__(
        self,
        engine: AsyncEngine,
        carriers: Mapping[ApprovalKind, Carrier],
        now_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._carriers = dict(carriers)
        self._now_ms = now_ms

    def carry(self, kind: ApprovalKind, carrier: Carrier) -> None:
        """Say who carries out what is decided of a kind."""
        self._carriers[kind] = carrier

    async def ask(
        self,
        connection: AsyncConnection,
        actor: Actor,
        kind: ApprovalKind,
        subject_id: str,
        wish: dict[str, str],
        merchant_id: str = "",
    ) -> Approval:
        """Write a wish down; raise `Conflict` if the same is wished for already."""
        now_ms = self._now_ms()
        await lock_subject(connection, actor.union_id, subject_id)
        if kind in ONCE_AT_A_TIME:
            waiting = await open_about(connection, actor.union_id, kind, subject_id, now_ms)
            if waiting is not None:
                raise Conflict(f"approval {waiting.id} is about this", code="APPROVAL_WAITING")
        approval = Approval(
            union_id=actor.union_id,
            id=str(ULID()),
            kind=kind,
            subject_id=subject_id,
            merchant_id=merchant_id,
            wish=wish,
            state=ApprovalState.PENDING,
            requested_by=actor.user_id,
            requested_ms=now_ms,
            not_before_ms=now_ms + RULES[kind].waits_ms,
            expires_ms=now_ms + LIVES_MS,
        )
        await add_approval(connection, approval)
        await write_events(connection, [told_of_approval(approval, now_ms)])
        return approval

    async def decide(
        self,
        connection: AsyncConnection,
        actor: Actor,
        roles: Mapping[Role, str],
        approval_id: str,
        verdict: Decision,
    ) -> Approval:
        """Give a verdict, and carry out what needs no waiting."""
        now_ms = self._now_ms()
        approval = await self._locked(connection, actor.union_id, approval_id)
        if why := may_decide(approval, actor.user_id, roles, verdict):
            raise Forbidden(why, code="NOT_YOURS_TO_DECIDE")
        after = next_state(approval, verdict, now_ms)
        if after is None:
            raise Conflict(f"it is {standing_of(approval, now_ms)}: there is nothing to decide")
        decided = {"decided_by": actor.user_id, "decided_ms": now_ms}
        await write_state(connection, approval, after, **decided)
        approval = replace(approval, state=after, decided_by=actor.user_id, decided_ms=now_ms)
        if is_ripe(approval, now_ms):
            approval = await self._carry_out(connection, approval)
        # Last, for the lock on the numbers of events is: what was carried out had locks to take.
        await write_events(connection, [told_of_approval(approval, now_ms)])
        return approval

    async def _locked(
        self, connection: AsyncConnection, union_id: str, approval_id: str
    ) -> Approval:
        approval = await lock_approval(connection, union_id, approval_id)
        if approval is None:
            raise NotFound("there is no such approval")
        return approval

    async def carry_out_ripe(self) -> int:
        """Carry out what has waited for its hour; give how much it was. Any worker may."""
        async with self._engine.begin() as connection:
            ripe = await lock_ripe(connection, self._now_ms(), RIPE_AT_ONCE)
            done = [await self._carry_out(connection, approval) for approval in ripe]
            now_ms = self._now_ms()
            await write_events(connection, [told_of_approval(each, now_ms) for each in done])
        return len(ripe)

    async def _carry_out(self, connection: AsyncConnection, approval: Approval) -> Approval:
        """Do it whole, or not at all and say so."""
        state, code = ApprovalState.APPLIED, ""
        try:
            async with connection.begin_nested():
                await self._carriers[approval.kind](connection, approval)
        except ApiFault as fault:
            state, code = ApprovalState.FAILED, fault.code
        await write_state(connection, approval, state, code=code)
        return replace(approval, state=state, code=code)
