"""`POST /api/v1/payments/validate`: a partner asks whether a payment is good.

The order of checks is fixed: who asks, size and type, rate, body, look-up. A 200 with
`valid: false` is a statement about the ledger, so it is never made while the ledger can't be
read: that is a 503.
"""

from time import perf_counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from api.auth.keys import Scope
from api.errors import MalformedRequest, Throttled
from api.problems import json_response, problem
from api.routes.requests import read_body, seller_of, service_of, wait_asked_s
from api.services.payments import TX_UNCONFIRMED, read_question

BODY_BYTES_MAX: Final = 4_096


async def validate(request: Request) -> Response:
    """Say whether a transaction paid the caller's merchant exactly this much."""
    started, service = perf_counter(), service_of(request)
    seller = await seller_of(request, Scope.PAYMENTS_VALIDATE)
    raw = await read_body(request, BODY_BYTES_MAX)
    quota = await service.take_quota(seller)
    headers = {
        "RateLimit": f'"validate";r={quota.remaining};t={quota.reset_s}',
        "RateLimit-Policy": f'"validate";q={quota.limit};w=60',
    }
    if not quota.allowed:
        fault = Throttled("too many validations in a minute", retry_after_s=quota.retry_s)
        answer = problem(request, fault)
        answer.headers.update(headers)
        return answer
    try:
        question = read_question(raw)
    except MalformedRequest as malformed:
        verdict = {"valid": False, "confirmedAt": None, "error": malformed.code}
        return problem(request, malformed, verdict)
    wait_s = wait_asked_s(request, service.config.wait_s_max)
    said = await service.validate(seller, question, wait_s)
    if said.error == TX_UNCONFIRMED:
        headers["Retry-After"] = "1"
    if wait_s:
        headers["Preference-Applied"] = f"wait={wait_s}"
    service.metrics.validation_latency.observe(perf_counter() - started)
    service.metrics.validations.labels(said.error or "VALID").inc()
    return json_response(said.body(), headers=headers)
