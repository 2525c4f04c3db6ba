"""Cash-outs in JSON: what is to be sent where, and what was paid for it."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.amounts import format_sen, format_time, sen_worth
from api.cash_outs.model import CashOut, CashOutState
from api.events.outbox import NewEvent
from api.http.pages import PageQuery
from api.http.scalars import (
    LINE,
    AddressText,
    AmountText,
    BillText,
    HashText,
    Livemode,
    MyrText,
    TimeText,
    UlidText,
)
from ledger.primitives.amounts import Units, format_bill


class NewCashOutBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """How much BILL will be sent."""

    bill: AmountText


class PayCashOutBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """The number of the receipt, or of the bank's transfer, by which cash was paid out."""

    receipt_number: Annotated[str, Meta(min_length=1, max_length=40, pattern=LINE)]


class CashOutsQuery(
    PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which cash-outs are listed."""

    state: CashOutState | None = None


class CashOutCard(msgspec.Struct, frozen=True, rename="camel"):
    """A cash-out: what a wallet sends, and what comes back for it."""

    id: UlidText
    state: CashOutState
    bill: Annotated[BillText, Meta(description="What was said that would be sent.")]
    amount: Annotated[MyrText, Meta(description="What that is worth until `expiresAt`.")]
    float_address: Annotated[AddressText | None, Meta(description="Where to send it.")]
    reference: Annotated[HashText, Meta(description="What the transfer must bear.")]
    received_bill: BillText
    received_amount: MyrText
    paid_amount: MyrText
    created_at: TimeText
    expires_at: TimeText
    ended_at: TimeText | None


class CashOutView(CashOutCard, frozen=True, rename="camel"):
    """A cash-out, as whoever sends BILL and whoever keeps the books ask for it."""

    livemode: Livemode


def _shown(cash_out: CashOut, float_address: str | None) -> dict[str, object]:
    return {
        "id": cash_out.id,
        "state": cash_out.state,
        "bill": format_bill(Units(cash_out.asked_units)),
        "amount": format_sen(sen_worth(cash_out.asked_units, cash_out.litre_sen)),
        "float_address": float_address,
        "reference": cash_out.reference.hex(),
        "received_bill": format_bill(Units(cash_out.received_units)),
        "received_amount": format_sen(cash_out.received_sen),
        "paid_amount": format_sen(cash_out.paid_sen),
        "created_at": format_time(cash_out.created_ms),
        "expires_at": format_time(cash_out.expires_ms),
        "ended_at": None if cash_out.ended_ms is None else format_time(cash_out.ended_ms),
    }


def cash_out_card(cash_out: CashOut) -> CashOutCard:
    """Present a cash-out in an event, which bears `livemode` itself."""
    return CashOutCard(**_shown(cash_out, None))  # type: ignore[arg-type]  # the types are above


def cash_out_view(cash_out: CashOut, float_address: str | None, *, livemode: bool) -> CashOutView:
    """Present a cash-out."""
    shown = _shown(cash_out, float_address)
    return CashOutView(**shown, livemode=livemode)  # type: ignore[arg-type]  # as above


def told_of_cash_out(kind: str, cash_out: CashOut, now_ms: int) -> NewEvent:
    """Make the event that tells of a cash-out, to its union."""
    body = cash_out_card(cash_out)
    return NewEvent(f"cash_out.{kind}", cash_out.union_id, cash_out.id, body, now_ms)
