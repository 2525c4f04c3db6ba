"""Refunds that one manager does not give alone: a second person lets them begin."""

from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.approvals.desk import Carrier
from api.approvals.model import Approval, ApprovalKind
from api.events.outbox import write_events
from api.people.desks import Desks
from api.people.means import Actor
from api.refunds.desk import RefundDesk, RefundWish
from api.refunds.model import RefundReason
from api.signing.accounts import paying_account

ALONE_SEN_MAX: Final = 5_000
"""What a manager gives back alone."""


async def ask_for_refund(
    connection: AsyncConnection, desks: Desks, actor: Actor, wish: RefundWish
) -> Approval:
    """Ask a second person to let a refund begin."""
    told = {
        "reason": str(wish.reason),
        "orderId": wish.order_id or "",
        "txHash": "" if wish.tx_hash is None else wish.tx_hash.hex(),
        "amountSen": "" if wish.amount_sen is None else str(wish.amount_sen),
    }
    merchant_id = wish.merchant_id
    return await desks.approvals.ask(
        connection, actor, ApprovalKind.REFUND, merchant_id, told, merchant_id
    )


def refund_carrier(refunds: RefundDesk, clock_ms: Callable[[], int]) -> Carrier:
    """Make what begins a refund that was approved."""

    async def carry_out(connection: AsyncConnection, approval: Approval) -> None:
        told, now_ms = approval.wish, clock_ms()
        wish = RefundWish(
            merchant_id=approval.merchant_id,
            requested_by=f"user:{approval.requested_by}",
            reason=RefundReason(told["reason"]),
            order_id=told["orderId"] or None,
            tx_hash=bytes.fromhex(told["txHash"]) or None,
            amount_sen=int(told["amountSen"]) if told["amountSen"] else None,
        )
        account = await paying_account(connection, wish.merchant_id, now_ms)
        prepared = await refunds.prepare(connection, wish, now_ms)
        _, event = await refunds.begin(connection, prepared, account.account, now_ms)
        await write_events(connection, [event])

    return carry_out
