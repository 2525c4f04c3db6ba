"""Wishes in the database: written, locked, listed, and moved on."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.model import Approval, ApprovalKind, ApprovalState
from api.db.tables.approvals import approvals


async def add_approval(connection: AsyncConnection, approval: Approval) -> None:
    """Write a new wish."""
    fields = {name: getattr(approval, name) for name in approvals.c.keys()}  # noqa: SIM118
    await connection.execute(approvals.insert().values(**fields))


async def lock_approval(
    connection: AsyncConnection, union_id: str, approval_id: str
) -> Approval | None:
    """Read a wish, which nobody else decides until the transaction ends."""
    at = (approvals.c.union_id == union_id) & (approvals.c.id == approval_id)
    row = (await connection.execute(select(approvals).where(at).with_for_update())).first()
    return None if row is None else _approval(row)


async def lock_ripe(connection: AsyncConnection, now_ms: int, limit: int) -> Sequence[Approval]:
    """Read approved wishes whose hour has come, and that no other worker has in hand."""
    c = approvals.c
    ripe = (c.state == ApprovalState.APPROVED) & (c.not_before_ms <= now_ms)
    query = select(approvals).where(ripe).order_by(c.not_before_ms).limit(limit)
    locked = query.with_for_update(skip_locked=True)
    return [_approval(row) for row in await connection.execute(locked)]


async def list_approvals(
    connection: AsyncConnection,
    union_id: str,
    before: str,
    limit: int,
    state: ApprovalState | None,
    merchant_id: str,
) -> Sequence[Approval]:
    """Read a union's wishes, the newest first; of one merchant alone, if it is named."""
    c = approvals.c
    wanted = c.union_id == union_id
    if before:
        wanted &= c.id < before
    if state is not None:
        wanted &= c.state == state
    if merchant_id:
        wanted &= c.merchant_id == merchant_id
    query = select(approvals).where(wanted).order_by(c.id.desc()).limit(limit)
    return [_approval(row) for row in await connection.execute(query)]


async def open_about(
    connection: AsyncConnection, union_id: str, kind: ApprovalKind, subject_id: str, now_ms: int
) -> Approval | None:
    """Find a wish of one kind about somebody or something that is not decided and done yet."""
    c = approvals.c
    waits = or_(
        (c.state == ApprovalState.PENDING) & (c.expires_ms > now_ms),
        c.state == ApprovalState.APPROVED,
    )
    about = (c.union_id == union_id) & (c.kind == kind) & (c.subject_id == subject_id)
    row = (await connection.execute(select(approvals).where(about & waits).limit(1))).first()
    return None if row is None else _approval(row)


async def write_state(
    connection: AsyncConnection, approval: Approval, state: ApprovalState, **more: object
) -> None:
    """Move a locked wish on."""
    at = (approvals.c.union_id == approval.union_id) & (approvals.c.id == approval.id)
    await connection.execute(update(approvals).where(at).values(state=state, **more))


async def lock_subject(connection: AsyncConnection, union_id: str, subject_id: str) -> None:
    """Let nobody else wish about the same until the transaction ends."""
    name = f"{union_id}|{subject_id}"
    await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def _approval(row: Row[Any]) -> Approval:
    fields: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 - its public name
    fields["kind"], fields["state"] = ApprovalKind(row.kind), ApprovalState(row.state)
    return Approval(**fields)
