"""Top-ups beyond what one person gives: one officer asks, another one lets them begin."""

from collections.abc import Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.desk import Carrier
from api.approvals.model import Approval, ApprovalKind
from api.errors import Unprocessable
from api.events.outbox import write_events
from api.people.desks import Desks
from api.people.means import Actor
from api.top_ups.desk import Payee, TopUpDesk, TopUpWish


async def ask_for_top_up(
    connection: AsyncConnection, desks: Desks, actor: Actor, wish: TopUpWish, payee: Payee
) -> Approval:
    """Ask a second officer, who can't be whose wallet it is; raise `Unprocessable` for nobody's.

    What waits names the wallet by its blind index: it is read by people who need no address.
    """
    if payee.user_id is None:
        raise Unprocessable("two officers top up a person that they know", code="NO_WALLET")
    told = {
        "wallet": payee.index.hex(),
        "amountSen": str(wish.amount_sen),
        "receiptNumber": wish.receipt,
    }
    return await desks.approvals.ask(connection, actor, ApprovalKind.TOP_UP, payee.user_id, told)


def top_up_carrier(top_ups: TopUpDesk, clock_ms: Callable[[], int]) -> Carrier:
    """Make what begins a top-up that two officers want."""

    async def carry_out(connection: AsyncConnection, approval: Approval) -> None:
        told, now_ms = approval.wish, clock_ms()
        wish = TopUpWish(
            union_id=approval.union_id,
            place_id=approval.union_id,
            terminal_id="",
            taken_by=approval.requested_by,
            approved_by=approval.decided_by,
            amount_sen=int(told["amountSen"]),
            receipt=told["receiptNumber"],
            user_id=approval.subject_id,
            index=bytes.fromhex(told["wallet"]),
        )
        _, event = await top_ups.begin(connection, wish, now_ms)
        await write_events(connection, [event])

    return carry_out
