"""Cash that one person does not pay out alone: a second one lets it happen."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.desk import Carrier
from api.approvals.model import Approval, ApprovalKind
from api.cash_outs.desk import CashOutDesk
from api.cash_outs.model import CashOut
from api.errors import Conflict
from api.events.outbox import write_events
from api.people.desks import Desks
from api.people.means import Actor


async def ask_for_payment(
    connection: AsyncConnection, desks: Desks, actor: Actor, cash_out: CashOut, receipt: str
) -> Approval:
    """Ask a second person, who can't be whom it is paid to."""
    told = {
        "cashOutId": cash_out.id,
        "amountSen": str(cash_out.owed_sen),
        "receiptNumber": receipt,
    }
    kind, subject = ApprovalKind.CASH_OUT, cash_out.user_id
    return await desks.approvals.ask(connection, actor, kind, subject, told)


def cash_out_carrier(cash_outs: CashOutDesk, clock_ms: Callable[[], int]) -> Carrier:
    """Make what pays out once it was approved: exactly what was approved, or nothing."""

    async def carry_out(connection: AsyncConnection, approval: Approval) -> None:
        told, now_ms = approval.wish, clock_ms()
        at = (approval.union_id, told["cashOutId"], approval.requested_by)
        cash_out = await cash_outs.owed(connection, *at)
        if cash_out.owed_sen != int(told["amountSen"]):
            raise Conflict("another sum is owed by now: ask anew", code="SUM_CHANGED")
        _, event = await cash_outs.pay(
            connection, *at, approval.decided_by, told["receiptNumber"], now_ms
        )
        await write_events(connection, [event])

    return carry_out
