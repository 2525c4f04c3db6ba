"""Limits that one officer does not raise or lift alone: a second person lets it happen."""

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.model import Approval, ApprovalKind
from api.budgets.model import BudgetPurpose
from api.budgets.store import write_limit
from api.people.desks import Desks
from api.people.means import Actor

NONE = ""
"""How a wish says that there is to be no limit."""


async def ask_for_limit(
    connection: AsyncConnection,
    desks: Desks,
    actor: Actor,
    purpose: BudgetPurpose,
    limit: int | None,
) -> Approval:
    """Ask a second person to let more be given away."""
    wish = {"purpose": str(purpose), "amount": NONE if limit is None else str(limit)}
    kind = ApprovalKind.BUDGET
    return await desks.approvals.ask(connection, actor, kind, actor.union_id, wish)


async def carry_limit_out(connection: AsyncConnection, approval: Approval) -> None:
    """Write a limit that two people agreed to."""
    told = approval.wish
    limit = None if told["amount"] == NONE else int(told["amount"])
    await write_limit(connection, approval.union_id, BudgetPurpose(told["purpose"]), limit)
