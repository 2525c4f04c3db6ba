"""Budgets in the database, and what was given away: read where it was given."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.store import lock_subject
from api.budgets.model import WINDOW_MS, Budget, BudgetPurpose
from api.db.statements import text

LOCK: Final = "budget"
_SPENT: Final[Mapping[BudgetPurpose, str]] = {
    BudgetPurpose.WELCOMES: """
        SELECT coalesce(sum(units), 0) FROM welcomes
        WHERE union_id = :union AND created_ms > :since AND state <> 'failed'
    """,
    BudgetPurpose.COUPONS: """
        SELECT coalesce(sum(price_sen), 0) FROM coupons
        WHERE union_id = :union AND issued_ms > :since AND campaign_id IS NOT NULL
            AND state NOT IN ('expired', 'revoked')
    """,
}


async def find_limit(
    connection: AsyncConnection, union_id: str, purpose: BudgetPurpose
) -> int | None:
    """Give a union's limit; None if there is none."""
    found = await connection.scalar(
        text("SELECT amount FROM budgets WHERE union_id = :union AND purpose = :purpose"),
        {"union": union_id, "purpose": str(purpose)},
    )
    return None if found is None else int(found)


async def read_budget(
    connection: AsyncConnection, union_id: str, purpose: BudgetPurpose, now_ms: int
) -> Budget:
    """Read a budget, and what of it is spent."""
    spent = await connection.scalar(
        text(_SPENT[purpose]), {"union": union_id, "since": now_ms - WINDOW_MS}
    )
    limit = await find_limit(connection, union_id, purpose)
    return Budget(union_id=union_id, purpose=purpose, limit=limit, spent=int(spent or 0))


async def has_room(
    connection: AsyncConnection, union_id: str, purpose: BudgetPurpose, amount: int, now_ms: int
) -> bool:
    """Tell whether so much may be given away; who is told so gives it in this transaction.

    Of those who give away under one limit, one looks at a time.
    """
    if await find_limit(connection, union_id, purpose) is None:
        return True
    await lock_subject(connection, union_id, f"{LOCK}:{purpose}")
    return (await read_budget(connection, union_id, purpose, now_ms)).has_room_for(amount)


async def write_limit(
    connection: AsyncConnection, union_id: str, purpose: BudgetPurpose, limit: int | None
) -> None:
    """Write a limit, or take it away."""
    at = {"union": union_id, "purpose": str(purpose)}
    if limit is None:
        await connection.execute(
            text("DELETE FROM budgets WHERE union_id = :union AND purpose = :purpose"), at
        )
        return
    await connection.execute(
        text("""
            INSERT INTO budgets (union_id, purpose, amount) VALUES (:union, :purpose, :amount)
            ON CONFLICT (union_id, purpose) DO UPDATE SET amount = EXCLUDED.amount
        """),
        {**at, "amount": limit},
    )
