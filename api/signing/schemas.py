"""Signing requests in JSON, as their merchant sees them; what signers get is `api.signing.wire`."""

import msgspec

from api.amounts import format_time
from api.http.pages import PageQuery
from api.http.scalars import HashText, TimeText, UlidText
from api.signing.model import SigningRequest, SigningState
from api.signing.wire import LeasedRequest, SigningKind, SigningOrder, kind_of


class SigningRequestView(msgspec.Struct, frozen=True, rename="camel"):
    """A request: what is to be signed for which thing, and how far it has come."""

    id: UlidText
    kind: SigningKind
    subject_id: UlidText
    order: SigningOrder
    state: SigningState
    tx_hash: HashText | None
    code: str
    detail: str
    created_at: TimeText
    ended_at: TimeText | None


class SigningTaken(msgspec.Struct, frozen=True, rename="camel"):
    """That something was taken in."""

    id: UlidText
    state: SigningState


class SigningQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which requests are listed: all, a page at a time."""


def signing_view(request: SigningRequest) -> SigningRequestView:
    """Present a request."""
    return SigningRequestView(
        id=request.id,
        kind=kind_of(request.what),
        subject_id=request.ref_id,
        order=request.what,
        state=request.state,
        tx_hash=None if request.tx_hash is None else request.tx_hash.hex(),
        code=request.code,
        detail=request.detail,
        created_at=format_time(request.created_ms),
        ended_at=None if request.ended_ms is None else format_time(request.ended_ms),
    )


def leased_view(request: SigningRequest) -> LeasedRequest:
    """Present a request to the signer that holds it."""
    return LeasedRequest(request.id, request.what, format_time(request.leased_until_ms))
