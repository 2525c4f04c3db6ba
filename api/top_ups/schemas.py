"""Top-ups in JSON: what is asked for, and the receipt of what was."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.amounts import format_sen, format_time
from api.events.outbox import NewEvent
from api.http.pages import PageQuery
from api.http.scalars import (
    LINE,
    BillText,
    HashText,
    Livemode,
    MyrText,
    Ringgit,
    TimeText,
    UlidText,
)
from api.top_ups.model import TopUp, TopUpState
from ledger.primitives.amounts import Units, format_bill


class NewTopUpBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Whose wallet gets BILL for how much cash: a person's, an address, or one of a person's."""

    amount: Ringgit
    receipt_number: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=40,
            pattern=LINE,
            description="Of the receipt that is handed out; once at a till or an office.",
        ),
    ]
    user_id: UlidText | None = None
    address: Annotated[str, Meta(max_length=120)] | None = None


class TopUpsQuery(PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which top-ups are listed."""

    state: TopUpState | None = None


class TopUpCard(msgspec.Struct, frozen=True, rename="camel"):
    """A top-up: what was paid, what for, at which price, and how far it has come."""

    id: UlidText
    place_id: Annotated[UlidText, Meta(description="The shop, or the union for its office.")]
    receipt_number: str
    amount: MyrText
    bill: BillText
    price: Annotated[MyrText, Meta(description="Of a litre, when the cash was taken.")]
    state: TopUpState
    linked: Annotated[bool, Meta(description="Whether the wallet is a known person's.")]
    two_officers: bool
    tx_hash: Annotated[HashText | None, Meta(description="What sends it.")]
    code: Annotated[str, Meta(description="Why it failed; then the cash goes back.")]
    detail: str
    created_at: TimeText
    ended_at: TimeText | None


class TopUpView(TopUpCard, frozen=True, rename="camel"):
    """The receipt of a top-up."""

    livemode: Livemode


def _shown(top_up: TopUp) -> dict[str, object]:
    return {
        "id": top_up.id,
        "place_id": top_up.place_id,
        "receipt_number": top_up.receipt,
        "amount": format_sen(top_up.amount_sen),
        "bill": format_bill(Units(top_up.units)),
        "price": format_sen(top_up.litre_sen),
        "state": top_up.state,
        "linked": top_up.user_id is not None,
        "two_officers": bool(top_up.approved_by),
        "tx_hash": None if top_up.tx_hash is None else top_up.tx_hash.hex(),
        "code": top_up.code,
        "detail": top_up.detail,
        "created_at": format_time(top_up.created_ms),
        "ended_at": None if top_up.ended_ms is None else format_time(top_up.ended_ms),
    }


def top_up_card(top_up: TopUp) -> TopUpCard:
    """Present a top-up in an event, which bears `livemode` itself; without whose it is."""
    return TopUpCard(**_shown(top_up))  # type: ignore[arg-type]  # the members' types are above


def top_up_view(top_up: TopUp, *, livemode: bool) -> TopUpView:
    """Present a top-up, without whose it is."""
    return TopUpView(**_shown(top_up), livemode=livemode)  # type: ignore[arg-type]  # as above


def told_of_top_up(kind: str, top_up: TopUp, now_ms: int) -> NewEvent:
    """Make the event that tells of a top-up: to its shop, or to the union."""
    body = top_up_card(top_up)
    return NewEvent(f"top_up.{kind}", top_up.place_id, top_up.id, body, now_ms, top_up.tx_hash)
