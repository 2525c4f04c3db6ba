"""`POST /api/v1/test/orders/{orderId}/pay`: act a customer without a wallet. Not on live chains."""

import asyncio
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import name_of
from api.db.session import in_transaction
from api.db.statements import text
from api.errors import Conflict, NotFound, Unavailable
from api.events.outbox import write_events
from api.http.catalogue import LEDGER_CODES
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.orders.model import Order, OrderState
from api.orders.rules import expire
from api.payments.checking import refusal_of
from api.payments.intake import SignedPayment
from api.people.callers import id_of
from api.refunds.desk import RefundWish
from api.refunds.model import RefundReason
from api.signing.accounts import paying_account
from api.testing.model import BY_THE_FRONT_DOOR, ENDS_THE_TIME, PayAs, payments_of
from api.testing.schemas import CustomerPaymentBody, CustomerPaymentView
from ledger.primitives.codec import encode
from ledger.types.transaction import Transaction
from node.client.errors import ClientFault

PAID_S: Final = 10.0
"""How long a payment is waited for before it is asked back."""
LOOK_S: Final = 0.05
PAST_MS: Final = 1_000
"""So long ago an order's time ended that is ended here."""


async def pay_order(call: ApiCall) -> Reply:
    """Let the made-up customer pay an order, or not, as it is asked to."""
    order, pay_as = await _payable(call), call.body.pay_as
    if pay_as in ENDS_THE_TIME:
        await _end_time(call, order)
    signed = await _pay(call, order, pay_as)
    refund_id = await _give_back(call, order) if pay_as is PayAs.REFUNDED else None
    view = CustomerPaymentView(
        order_id=order.id,
        pay_as=pay_as,
        transactions=[transaction.id.hex() for transaction in signed],
        refund_id=refund_id,
    )
    return Reply(view, 202)


async def _payable(call: ApiCall) -> Order:
    if call.service.money.customer is None:
        raise NotFound("this network has no made-up customer: its home holds no customer.key")
    order = await call.service.offer(id_of(call, "orderId"))
    if order is None or order.merchant_id != call.merchant_id:
        raise NotFound("there is no such order")
    if order.state is not OrderState.AWAITING_PAYMENT or order.paying_tx is not None:
        raise Conflict(f"the order is {order.state}", code="ORDER_NOT_PAYABLE")
    if call.body.pay_as is PayAs.REFUNDED:
        async with call.service.engine.connect() as connection:
            await paying_account(connection, order.merchant_id, call.service.now_ms())
    return order


async def _end_time(call: ApiCall, order: Order) -> None:
    """Let an order's time be over now, which the chain's own time then says as well."""
    engine, now_ms = call.service.engine, call.service.now_ms()
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE orders SET expires_ms = :past WHERE merchant_id = :merchant AND id = :id"),
            {"past": now_ms - PAST_MS, "merchant": order.merchant_id, "id": order.id},
        )
    await call.service.change_order(order.merchant_id, order.id, expire, "order.expired")


async def _pay(call: ApiCall, order: Order, pay_as: PayAs) -> list[Transaction]:
    """Sign and hand in what the customer pays."""
    service = call.service
    assert service.money.customer is not None, "it was looked for"
    signed: list[Transaction] = []
    async with service.money.customer.turn(await service.law.fee_units()) as sign_next:
        for transfer in payments_of(order, pay_as):
            transaction = sign_next(transfer)
            raw = encode(transaction)
            if pay_as in BY_THE_FRONT_DOOR and not signed:
                payment = SignedPayment(order.id, raw, transaction, transaction.id)
                await service.submit_payment(payment)
            else:
                await broadcast(call, raw)
            signed.append(transaction)
    return signed


async def broadcast(call: ApiCall, raw: bytes) -> None:
    """Hand a transaction to a node past the service, as a wallet of others may."""
    try:
        (said,) = await call.service.node.submit([raw])
    except ClientFault as fault:
        raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault
    if (refused := refusal_of(said)) is not None:
        raise refused


async def _give_back(call: ApiCall, order: Order) -> str:
    """Ask for the whole of an order back, once it is paid; give the refund's id."""
    service = call.service
    try:
        async with asyncio.timeout(PAID_S):
            while (await service.find_order(order.id) or order).paid_ms is None:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        raise Unavailable("the payment is not final yet", retry_after_s=1) from None
    wish = RefundWish(
        merchant_id=order.merchant_id,
        requested_by=name_of(call.principal),
        reason=RefundReason.OTHER,
        order_id=order.id,
    )

    async def work(connection: AsyncConnection) -> str:
        now_ms = service.now_ms()
        account = await paying_account(connection, order.merchant_id, now_ms)
        prepared = await service.money.refunds.prepare(connection, wish, now_ms)
        refund, event = await service.money.refunds.begin(
            connection, prepared, account.account, now_ms
        )
        await write_events(connection, [event])
        return refund.id

    return await in_transaction(service.engine, work)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/test/orders/{orderId}/pay",
        operation="payAsCustomer",
        summary="On a chain of development: let a made-up customer pay, or not, as you say",
        tag="test",
        handler=pay_order,
        body=CustomerPaymentBody,
        answer=CustomerPaymentView,
        status=202,
        idempotency=Idempotency.NATURAL,
        codes=(
            "NOT_FOUND",
            "ORDER_NOT_PAYABLE",
            "ORDER_EXPIRED",
            "PAYMENT_IN_FLIGHT",
            "OUT_OF_STOCK",
            "RATE_LIMITED",
            "SIGNER_OFFLINE",
            "LEDGER_UNAVAILABLE",
            "LEDGER_BUSY",
            *LEDGER_CODES,
        ),
        development=True,
    ),
)
