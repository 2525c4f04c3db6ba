"""Payments: reading one, and the partner's question whether it is good.

The order of checks of `validate` is fixed: who asks, size and type, rate, body, look-up. A 200 with
`valid: false` is a statement about the ledger, so it is never made while the ledger can't be read:
that is a 503.
"""

from time import perf_counter
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.errors import NotFound, Throttled
from api.http.headers import wait_asked_s
from api.http.pages import Listing, asked_for
from api.http.paths import tx_hash_of
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.orders.schemas import OrderView, order_view
from api.payments.assigning import assign, read_final
from api.payments.model import Payment
from api.payments.reading import PaymentFilter, list_payments
from api.payments.schemas import (
    AssignmentBody,
    PaymentsQuery,
    PaymentView,
    ValidationBody,
    ValidationVerdict,
    payment_view,
)
from api.payments.validation import (
    AMOUNT_MISMATCH,
    TX_NOT_FOUND,
    TX_UNCONFIRMED,
    question_of,
)

CALLERS_FAULTS: Final = frozenset({TX_NOT_FOUND, AMOUNT_MISMATCH})
"""What speaks against whoever asks, and not against who paid."""

LIST: Final = "listPayments"


async def take_quota(call: ApiCall) -> None:
    """Count a validation; raise `Throttled` past the merchant's quota."""
    quota = await call.service.watching.count_validation(call.merchant_id)
    call.headers["RateLimit"] = f'"validate";r={quota.remaining};t={quota.reset_s}'
    call.headers["RateLimit-Policy"] = f'"validate";q={quota.limit};w=60'
    if not quota.allowed:
        raise Throttled("too many validations in a minute", retry_after_s=quota.retry_s)


async def validate(call: ApiCall) -> Reply:
    """Say whether a transaction paid the caller's merchant exactly this much."""
    started, service = perf_counter(), call.service
    question = question_of(call.body)
    wait_s = wait_asked_s(call.request.headers.getlist("prefer"), service.config.wait_s_max)
    said = await service.validator.validate(call.merchant_id, question, wait_s)
    if said.error == TX_UNCONFIRMED:
        call.headers["Retry-After"] = "1"
    if wait_s:
        call.headers["Preference-Applied"] = f"wait={wait_s}"
    if said.error in CALLERS_FAULTS:
        service.watching.note_error(call.principal, said.error)
    service.metrics.validation_latency.observe(perf_counter() - started)
    service.metrics.validations.labels(said.error or "VALID").inc()
    return Reply(said.body())


async def read_payments(call: ApiCall) -> Listing[PaymentView]:
    """List a merchant's payments, newest first."""
    service, query = call.service, call.query
    owner = asked_for(query, call.merchant_id)
    after = service.cursors.read(query.cursor, LIST, owner)
    wanted = PaymentFilter(
        state=query.state,
        outcome=query.outcome,
        settlement=query.settlement,
        order_id=query.order_id.upper() or None,
        from_ms=query.since_ms,
        to_ms=query.until_ms,
    )
    below = None if after is None else (int(after[0]), bytes.fromhex(str(after[1])))
    async with service.engine.connect() as connection:
        rows = await list_payments(connection, call.merchant_id, wanted, below, query.limit + 1)

    def view(payment: Payment) -> PaymentView:
        return payment_view(payment, livemode=service.config.livemode)

    return service.cursors.page(rows, query.limit, _place, view, LIST, owner)


def _place(payment: Payment) -> tuple[int, str]:
    return (payment.created_ms, payment.tx_hash.hex())


async def assign_payment(call: ApiCall) -> Reply:
    """Say whose payment it was that bore no order's reference."""
    service, tx_hash = call.service, tx_hash_of(call)
    await _own(call, tx_hash)
    final = await read_final(service.node, tx_hash)

    async def work(connection: AsyncConnection) -> Reply:
        order = await assign(
            connection,
            call.merchant_id,
            call.body.order_id.upper(),
            final,
            service.money.parties.witnesses,
            service.now_ms(),
        )
        return Reply(order_view(order, service.config), 200)

    reply = await service.answers.once(call.once, work)
    service.feed.poke()
    return reply


async def _own(call: ApiCall, tx_hash: bytes) -> Payment:
    payment = await call.service.find_payment(tx_hash)
    if payment is None or payment.merchant_id != call.merchant_id:
        raise NotFound("there is no such payment")
    return payment


async def read_payment(call: ApiCall) -> PaymentView:
    """Give a payment; another merchant's is not found."""
    payment = await _own(call, tx_hash_of(call))
    return payment_view(payment, livemode=call.service.config.livemode)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/payments/validate",
        operation="validatePayment",
        summary="Say whether a transaction paid the caller's merchant exactly this much",
        tag="payments",
        handler=validate,
        body=ValidationBody,
        answer=ValidationVerdict,
        first=take_quota,
        malformed={"valid": False, "confirmedAt": None, "error": "MALFORMED_REQUEST"},
        waits=True,
        codes=("RATE_LIMITED", "LEDGER_UNAVAILABLE"),
    ),
    Route(
        method="GET",
        path="/api/v1/payments",
        operation=LIST,
        summary="List payments by state, outcome, settlement or order, newest first",
        tag="payments",
        handler=read_payments,
        query=PaymentsQuery,
        answer=Listing[PaymentView],
    ),
    Route(
        method="POST",
        path="/api/v1/payments/{txHash}/assign",
        operation="assignPayment",
        summary="Say which order a payment was for that bore no order's reference",
        tag="payments",
        handler=assign_payment,
        body=AssignmentBody,
        answer=OrderView,
        idempotency=Idempotency.KEY,
        codes=(
            "NOT_FOUND",
            "MALFORMED_REQUEST",
            "NOT_ASSIGNABLE",
            "ORDER_NOT_PAYABLE",
            "PAYMENT_IN_FLIGHT",
            "LEDGER_UNAVAILABLE",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/payments/{txHash}",
        operation="readPayment",
        summary="Read a payment by its transaction's hash; another merchant's is not found",
        tag="payments",
        handler=read_payment,
        answer=PaymentView,
        codes=("NOT_FOUND", "MALFORMED_REQUEST"),
    ),
)
