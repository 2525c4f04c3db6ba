"""Payments: reading one, and the partner's question whether it is good.

The order of checks of `validate` is fixed: who asks, size and type, rate, body, look-up. A 200 with
`valid: false` is a statement about the ledger, so it is never made while the ledger can't be read:
that is a 503.
"""

from time import perf_counter
from typing import Final

from api.errors import MalformedRequest, NotFound, Pointer, Throttled
from api.http.headers import wait_asked_s
from api.http.replies import Reply
from api.http.routes import ApiCall, Route
from api.http.scalars import HASH_TEXT
from api.payments.schemas import PaymentView, ValidationBody, ValidationVerdict, payment_view
from api.payments.validation import (
    AMOUNT_MISMATCH,
    TX_NOT_FOUND,
    TX_UNCONFIRMED,
    question_of,
)

CALLERS_FAULTS: Final = frozenset({TX_NOT_FOUND, AMOUNT_MISMATCH})
"""What speaks against whoever asks, and not against who paid."""


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


async def read_payment(call: ApiCall) -> PaymentView:
    """Give a payment; another merchant's is not found."""
    tx_hash = call.path["txHash"]
    if HASH_TEXT.fullmatch(tx_hash) is None:
        raise MalformedRequest(
            "a transaction's hash is 64 hex digits", errors=(Pointer("/txHash", "NOT_A_HASH"),)
        )
    payment = await call.service.find_payment(bytes.fromhex(tx_hash))
    if payment is None or payment.merchant_id != call.merchant_id:
        raise NotFound("there is no such payment")
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
        path="/api/v1/payments/{txHash}",
        operation="readPayment",
        summary="Read a payment by its transaction's hash; another merchant's is not found",
        tag="payments",
        handler=read_payment,
        answer=PaymentView,
        codes=("NOT_FOUND", "MALFORMED_REQUEST"),
    ),
)
