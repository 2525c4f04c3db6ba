"""Signing requests: leased by signers, answered by them, and listed for their merchant."""

from typing import Final

from api.access.principals import Principal, SignerKey
from api.http.headers import wait_asked_s
from api.http.pages import Listing
from api.http.routes import ApiCall, Idempotency, Route
from api.signing.model import SigningRequest, SigningState
from api.signing.schemas import (
    SigningQuery,
    SigningRequestView,
    SigningTaken,
    leased_view,
    signing_view,
)
from api.signing.wire import LeaseAnswer, LeaseRequest, RefusalRequest, SignatureRequest
from ledger.primitives.keys import Address

LIST: Final = "listSigningRequests"
WAIT_S_MAX: Final = 25
SIGNATURE_BYTES_MAX: Final = 16_384


async def lease(call: ApiCall) -> LeaseAnswer:
    """Give a signer work, or wait for some."""
    wait_s = wait_asked_s(call.request.headers.getlist("prefer"), WAIT_S_MAX)
    leased = await call.service.money.office.lease(
        _account(call.principal), call.body.limit, wait_s
    )
    if wait_s:
        call.headers["Preference-Applied"] = f"wait={wait_s}"
    return LeaseAnswer(tuple(leased_view(request) for request in leased))


async def take_signature(call: ApiCall) -> SigningTaken:
    """Take signed bytes in."""
    request_id, raw = call.path["requestId"], bytes.fromhex(call.body.transaction)
    taken = await call.service.money.office.hand_over(_account(call.principal), request_id, raw)
    return SigningTaken(taken.id, taken.state)


async def take_refusal(call: ApiCall) -> SigningTaken:
    """Take a refusal in."""
    request_id, body = call.path["requestId"], call.body
    account = _account(call.principal)
    await call.service.money.office.refuse(account, request_id, body.code, body.detail)
    return SigningTaken(request_id, SigningState.REFUSED)


async def read_requests(call: ApiCall) -> Listing[SigningRequestView]:
    """List what is or was to be signed for the merchant, newest first."""
    query, cursors = call.query, call.service.cursors
    below = cursors.read(query.cursor, LIST, call.merchant_id)
    before = None if below is None else str(below[0])
    async with call.service.engine.connect() as connection:
        rows = await call.service.money.book.newest(
            connection, call.merchant_id, before, query.limit + 1
        )
    return cursors.page(rows, query.limit, _place, signing_view, LIST, call.merchant_id)


def _account(principal: Principal) -> Address:
    assert isinstance(principal, SignerKey), "the access table admits signers alone"
    return Address(principal.account)


def _place(request: SigningRequest) -> tuple[str]:
    return (request.id,)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/signing-requests/lease",
        operation="leaseSigningRequests",
        summary="Take what is to be signed, for half a minute",
        tag="signing",
        handler=lease,
        body=LeaseRequest,
        answer=LeaseAnswer,
        idempotency=Idempotency.NATURAL,
        waits=True,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/signing-requests/{requestId}/signature",
        operation="handOverSignature",
        summary="Hand over what was signed; the same bytes may come again",
        tag="signing",
        handler=take_signature,
        body=SignatureRequest,
        answer=SigningTaken,
        idempotency=Idempotency.NATURAL,
        body_bytes_max=SIGNATURE_BYTES_MAX,
        codes=("NOT_FOUND", "REQUEST_SIGNED", "REQUEST_OVER", "UNWANTED_BYTES"),
    ),
    Route(
        method="POST",
        path="/api/v1/signing-requests/{requestId}/refusal",
        operation="refuseSigning",
        summary="Say that nothing is signed, and why",
        tag="signing",
        handler=take_refusal,
        body=RefusalRequest,
        answer=SigningTaken,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "REQUEST_OVER"),
    ),
    Route(
        method="GET",
        path="/api/v1/signing-requests",
        operation=LIST,
        summary="List what is or was to be signed, newest first",
        tag="signing",
        handler=read_requests,
        query=SigningQuery,
        answer=Listing[SigningRequestView],
    ),
)
