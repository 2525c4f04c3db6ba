"""The cash book in JSON: differences with their signs."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.amounts import format_time, signed_bill, signed_sen
from api.cash_book.model import CashEntry, CashKind
from api.http.pages import PageQuery
from api.http.scalars import BillText, TimeText, UlidText

SignedMyr = Annotated[
    str,
    Meta(pattern=r"^-?[0-9]+\.[0-9]{2}$", description="RM, with its sign.", examples=["-1.80"]),
]


class CashBookQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which entries are listed: all, a page at a time."""


class CashEntryView(msgspec.Struct, frozen=True, rename="camel"):
    """An entry: what it changed of the drawers, of the float, and of what is owed."""

    id: UlidText
    kind: CashKind
    subject_id: Annotated[str, Meta(description="The top-up, welcome or cash-out; or a txHash.")]
    place_id: Annotated[UlidText, Meta(description="The shop, or the union for its office.")]
    by: Annotated[str, Meta(description="Whose hand it was, or `chain`.")]
    receipt_number: str
    at: TimeText
    cash: Annotated[SignedMyr, Meta(description="Of the cash in the drawers.")]
    float_bill: Annotated[BillText, Meta(description="Of the float account.")]
    owed_bill: Annotated[BillText, Meta(description="Of what is owed to who paid cash.")]
    owed_cash: Annotated[SignedMyr, Meta(description="Of what is owed to who sent BILL.")]


def cash_entry_view(entry: CashEntry) -> CashEntryView:
    """Present an entry."""
    return CashEntryView(
        id=entry.id,
        kind=entry.kind,
        subject_id=entry.ref_id,
        place_id=entry.place_id,
        by=entry.by,
        receipt_number=entry.receipt,
        at=format_time(entry.at_ms),
        cash=signed_sen(entry.cash_sen),
        float_bill=signed_bill(entry.float_units),
        owed_bill=signed_bill(entry.owed_units),
        owed_cash=signed_sen(entry.owed_sen),
    )
