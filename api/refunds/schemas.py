"""Refunds in JSON: what is asked for, and how far it has come."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.amounts import format_sen, format_time
from api.http.pages import PageQuery
from api.http.scalars import (
    BillText,
    HashText,
    Livemode,
    MyrText,
    Ringgit,
    TimeText,
    TxHash,
    UlidText,
)
from api.refunds.model import Refund, RefundReason, RefundState
from ledger.primitives.amounts import Units, format_bill

OrderId = Annotated[str, Meta(max_length=26, description="An order's id.")]


class NewRefundBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What is given back, and why: of an order, or of one payment. Leave `amount` out for all."""

    reason: RefundReason
    order_id: OrderId | None = None
    tx_hash: TxHash | None = None
    amount: Ringgit | None = None


class RefundsQuery(
    PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which refunds are listed."""

    state: RefundState | None = None
    order_id: OrderId | None = None


class RefundCard(msgspec.Struct, frozen=True, rename="camel"):
    """A refund as events tell of it. `amount` is its worth in the quote, `bill` what goes back."""

    id: UlidText
    order_id: UlidText | None
    tx_hash: HashText
    bill: BillText
    amount: Annotated[MyrText | None, Meta(description="Null where there was no price in RM.")]
    reason: RefundReason
    state: RefundState
    automatic: bool
    refund_tx_hash: Annotated[HashText | None, Meta(description="What gives it back.")]
    code: Annotated[str, Meta(description="Why it failed.")]
    detail: str
    created_at: TimeText
    ended_at: TimeText | None


class RefundView(RefundCard, frozen=True, rename="camel"):
    """A refund, as its merchant asks for it."""

    livemode: Livemode


def _shown(refund: Refund) -> dict[str, object]:
    return {
        "id": refund.id,
        "order_id": refund.order_id,
        "tx_hash": refund.tx_hash.hex(),
        "bill": format_bill(Units(refund.units)),
        "amount": None if refund.amount_sen is None else format_sen(refund.amount_sen),
        "reason": refund.reason,
        "state": refund.state,
        "automatic": refund.automatic,
        "refund_tx_hash": None if refund.refund_tx is None else refund.refund_tx.hex(),
        "code": refund.code,
        "detail": refund.detail,
        "created_at": format_time(refund.created_ms),
        "ended_at": None if refund.ended_ms is None else format_time(refund.ended_ms),
    }


def refund_card(refund: Refund) -> RefundCard:
    """Present a refund in an event, which bears `livemode` itself."""
    return RefundCard(**_shown(refund))  # type: ignore[arg-type]  # the members' types are above


def refund_view(refund: Refund, *, livemode: bool) -> RefundView:
    """Present a refund to its merchant."""
    return RefundView(**_shown(refund), livemode=livemode)  # type: ignore[arg-type]  # as above
