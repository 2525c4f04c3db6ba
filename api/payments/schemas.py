"""Payments in JSON: the question whether one is good, and what it is."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.amounts import format_sen, format_time, signed_bill
from api.http.pages import SpanQuery
from api.http.scalars import (
    AmountText,
    BillText,
    HashText,
    Livemode,
    MyrText,
    TimeText,
    TxHash,
    UlidText,
)
from api.payments.model import Outcome, Payment, PaymentState
from ledger.primitives.amounts import Units, format_bill


class Currency(StrEnum):
    """What an amount is in."""

    MYR = "MYR"
    BILL = "BILL"


class ValidationBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a partner asks about a payment."""

    tx_hash: TxHash
    expected_amount: AmountText
    currency: Currency = Currency.MYR


class ValidationVerdict(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a payment is good. Without an error it is."""

    valid: bool
    confirmed_at: Annotated[TimeText | None, Meta(description="When its block became final.")]
    error: Annotated[
        Literal[
            "TX_NOT_FOUND",
            "TX_UNCONFIRMED",
            "AMOUNT_MISMATCH",
            "TX_FAILED",
            "TX_REFUNDED",
            "TX_ALREADY_USED",
            "ORDER_CANCELLED",
            "NO_QUOTE",
        ]
        | None,
        Meta(description="Why it is not good, or not yet."),
    ]


class PaymentsQuery(
    SpanQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which payments are listed; newest first. Times are those at which we saw them first."""

    state: PaymentState | None = None
    outcome: Outcome | None = None
    settlement: Annotated[
        Literal["unsettled"] | None, Meta(description="How far the ringgit of it have come.")
    ] = None
    order_id: Annotated[str, Meta(max_length=26, description="An order's id.")] = ""


class AssignmentBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Whose payment it was."""

    order_id: Annotated[str, Meta(max_length=26, description="An order that can still be paid.")]


class QuoteView(msgspec.Struct, frozen=True, rename="camel"):
    """What an order costs, as it was quoted."""

    myr: MyrText
    bill: BillText


class TokensView(msgspec.Struct, frozen=True, rename="camel"):
    """An amount in tokens."""

    bill: BillText


class PaymentView(msgspec.Struct, frozen=True, rename="camel"):
    """A payment, as its merchant sees it."""

    tx_hash: HashText
    order_id: Annotated[UlidText | None, Meta(description="None if it bore no order's reference.")]
    state: str
    outcome: str | None
    code: Annotated[str | None, Meta(description="Why the ledger let it have no effect.")]
    amount: TokensView
    quote: QuoteView | None
    delta: BillText
    refunded: BillText
    settlement: str
    height: int | None
    block_hash: HashText | None
    created_at: TimeText
    confirmed_at: TimeText | None
    livemode: Livemode


def payment_view(payment: Payment, *, livemode: bool) -> PaymentView:
    """Present a payment to its merchant."""
    quote, confirmed_ms = None, payment.confirmed_ms
    if payment.amount_sen is not None and payment.amount_units is not None:
        bill = format_bill(Units(payment.amount_units))
        quote = QuoteView(format_sen(payment.amount_sen), bill)
    return PaymentView(
        tx_hash=payment.tx_hash.hex(),
        order_id=payment.order_id,
        state=payment.state,
        outcome=payment.outcome,
        code=payment.code or None,
        amount=TokensView(format_bill(Units(payment.units))),
        quote=quote,
        delta=signed_bill(payment.delta_units),
        refunded=format_bill(Units(payment.refunded_units)),
        settlement=payment.settlement,
        height=payment.height,
        block_hash=None if payment.block_hash is None else payment.block_hash.hex(),
        created_at=format_time(payment.created_ms),
        confirmed_at=None if confirmed_ms is None else format_time(confirmed_ms),
        livemode=livemode,
    )
