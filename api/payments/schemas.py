"""Payments in JSON: the question whether one is good, and what it is."""

from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from api.http.scalars import AmountText, BillText, HashText, MyrText, TimeText, TxHash, UlidText


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
        ]
        | None,
        Meta(description="Why it is not good, or not yet."),
    ]


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
    order_id: UlidText
    state: str
    outcome: str | None
    code: Annotated[str | None, Meta(description="Why the ledger let it have no effect.")]
    amount: TokensView
    quote: QuoteView
    delta: BillText
    settlement: str
    height: int | None
    block_hash: HashText | None
    seen_at: TimeText
    confirmed_at: TimeText | None
