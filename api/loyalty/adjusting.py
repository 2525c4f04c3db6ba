"""Points given or taken by hand: a manager asks, somebody else lets it happen."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.desk import Carrier
from api.approvals.model import Approval, ApprovalKind
from api.events.outbox import write_events
from api.loyalty.desk import LoyaltyDesk
from api.people.desks import Desks
from api.people.means import Actor


async def ask_for_adjustment(
    connection: AsyncConnection,
    desks: Desks,
    actor: Actor,
    merchant_id: str,
    user_id: str,
    points: int,
    note: str,
) -> Approval:
    """Ask a second person to let points come or go."""
    wish = {"points": str(points), "note": note}
    kind = ApprovalKind.LOYALTY_ADJUSTMENT
    return await desks.approvals.ask(connection, actor, kind, user_id, wish, merchant_id)


def adjustment_carrier(loyalty: LoyaltyDesk, now_ms: Callable[[], int]) -> Carrier:
    """Make what adjusts points once it was approved."""

    async def carry_out(connection: AsyncConnection, approval: Approval) -> None:
        events = await loyalty.adjust(
            connection,
            approval.union_id,
            approval.subject_id,
            approval.merchant_id,
            int(approval.wish["points"]),
            approval.wish["note"],
            now_ms(),
        )
        await write_events(connection, events)

    return carry_out
