"""Refunds: asked for, listed, read, and cancelled while no signer has them in hand."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import Person, Principal, Terminal, name_of
from api.approvals.schemas import ApprovalView
from api.approvals.views import approval_view
from api.db.session import in_transaction
from api.errors import Forbidden, MalformedRequest, NotFound, Pointer
from api.events.outbox import write_events
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import actor_of
from api.refunds.approving import ALONE_SEN_MAX, ask_for_refund
from api.refunds.desk import RefundWish
from api.refunds.model import Refund
from api.refunds.schemas import NewRefundBody, RefundsQuery, RefundView, refund_view
from api.refunds.store import find_refund, list_refunds
from api.signing.accounts import paying_account
from api.terminals.cashiers import spend_step_up

LIST: Final = "listRefunds"
REFUSALS: Final = (
    "NOT_FOUND",
    "NOTHING_LEFT",
    "MORE_THAN_PAID",
    "NO_QUOTE",
    "TOO_LITTLE",
    "NAME_THE_PAYMENT",
    "REFUND_IN_FLIGHT",
    "PAYMENT_ASSIGNED",
    "PAID_BY_COUPON",
)


async def create_refund(call: ApiCall) -> Reply:
    """Ask the signer to give money back."""
    wish, service = _wish(call), call.service

    async def work(connection: AsyncConnection) -> Reply:
        now_ms, refunds = service.now_ms(), service.money.refunds
        account = await paying_account(connection, wish.merchant_id, now_ms)
        prepared = await refunds.prepare(connection, wish, now_ms)
        if isinstance(call.principal, Terminal):
            await spend_step_up(connection, call.principal, prepared.worth_sen)
        in_all_sen = prepared.before_sen + prepared.worth_sen
        if isinstance(call.principal, Person) and in_all_sen > ALONE_SEN_MAX:
            raise Forbidden(
                "above RM 50 a second person lets a refund begin: ask at /refunds/approvals",
                code="SECOND_PERSON_NEEDED",
            )
        refund, event = await refunds.begin(connection, prepared, account.account, now_ms)
        await write_events(connection, [event])
        location = {"Location": f"/api/v1/refunds/{refund.id}"}
        return Reply(_shown(call, refund), 202, location)

    return await service.answers.once(call.once, work)


async def ask_approval(call: ApiCall) -> Reply:
    """Ask a second person to let a refund begin."""
    wish, service = _wish(call), call.service

    async def work(connection: AsyncConnection) -> Reply:
        await service.money.refunds.prepare(connection, wish, service.now_ms())
        approval = await ask_for_refund(connection, service.desks, actor_of(call), wish)
        location = {"Location": f"/api/v1/approvals/{approval.id}"}
        return Reply(approval_view(approval, service.desks.means.now_ms()), 202, location)

    return await service.answers.once(call.once, work)


def _wish(call: ApiCall) -> RefundWish:
    body = call.body
    if (body.order_id is None) == (body.tx_hash is None):
        raise MalformedRequest(
            "name an order or a payment, not both",
            errors=(Pointer("/orderId", "ONE_OF_TWO"), Pointer("/txHash", "ONE_OF_TWO")),
        )
    return RefundWish(
        merchant_id=call.merchant_id,
        requested_by=_requested_by(call.principal),
        reason=body.reason,
        order_id=body.order_id,
        tx_hash=None if body.tx_hash is None else body.tx_hash.raw,
        amount_sen=None if body.amount is None else body.amount.sen,
    )


async def read_refund(call: ApiCall) -> RefundView:
    """Give a refund; another merchant's is not found."""
    async with call.service.engine.connect() as connection:
        refund = await find_refund(connection, call.merchant_id, call.path["refundId"])
    if refund is None:
        raise NotFound("there is no such refund")
    return _shown(call, refund)


async def read_refunds(call: ApiCall) -> Listing[RefundView]:
    """List the merchant's refunds, newest first."""
    query, cursors = call.query, call.service.cursors
    below = cursors.read(query.cursor, LIST, call.merchant_id)
    async with call.service.engine.connect() as connection:
        rows = await list_refunds(
            connection,
            call.merchant_id,
            None if below is None else str(below[0]),
            query.limit + 1,
            query.state,
            query.order_id,
        )
    return cursors.page(
        rows, query.limit, _place, lambda one: _shown(call, one), LIST, call.merchant_id
    )


async def cancel_refund(call: ApiCall) -> RefundView:
    """Cancel a refund that no signer has in hand."""
    service = call.service

    async def work(connection: AsyncConnection) -> Refund:
        refund, events = await service.money.refunds.cancel(
            connection, call.merchant_id, call.path["refundId"], service.now_ms()
        )
        await write_events(connection, events)
        return refund

    return _shown(call, await in_transaction(service.engine, work))


def _requested_by(principal: Principal) -> str:
    """Name who answers for a refund: at a till, the manager whose PIN covers it."""
    if isinstance(principal, Terminal):
        return f"user:{principal.stepped_up_by}"
    return name_of(principal)


def _shown(call: ApiCall, refund: Refund) -> RefundView:
    return refund_view(refund, livemode=call.service.config.livemode)


def _place(refund: Refund) -> tuple[str]:
    return (refund.id,)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/refunds",
        operation="createRefund",
        summary="Give an order's payment back, or a part of it, to whoever paid it",
        tag="refunds",
        handler=create_refund,
        body=NewRefundBody,
        answer=RefundView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=(*REFUSALS, "SIGNER_OFFLINE", "STEP_UP_EXCEEDED", "SECOND_PERSON_NEEDED"),
    ),
    Route(
        method="POST",
        path="/api/v1/refunds/approvals",
        operation="askRefundApproval",
        summary="Ask a second person to let a refund begin that one gives not alone",
        tag="refunds",
        handler=ask_approval,
        body=NewRefundBody,
        answer=ApprovalView,
        status=202,
        idempotency=Idempotency.KEY,
        codes=REFUSALS,
    ),
    Route(
        method="GET",
        path="/api/v1/refunds",
        operation=LIST,
        summary="List refunds, newest first",
        tag="refunds",
        handler=read_refunds,
        query=RefundsQuery,
        answer=Listing[RefundView],
    ),
    Route(
        method="GET",
        path="/api/v1/refunds/{refundId}",
        operation="readRefund",
        summary="Read a refund; another merchant's is not found",
        tag="refunds",
        handler=read_refund,
        answer=RefundView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/refunds/{refundId}/cancel",
        operation="cancelRefund",
        summary="Cancel a refund that no signer has in hand",
        tag="refunds",
        handler=cancel_refund,
        answer=RefundView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "REFUND_IN_FLIGHT"),
    ),
)
