"""Points in JSON: a balance with the entries that made it, and what a manager may ask for."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.amounts import format_time
from api.http.pages import PageQuery
from api.http.scalars import LINE, TimeText, UlidText
from api.loyalty.model import EntryKind, LoyaltyEntry


class EntryView(msgspec.Struct, frozen=True, rename="camel"):
    """Points that came or went, and for which order or coupon."""

    id: UlidText
    kind: EntryKind
    points: int
    order_id: UlidText | None
    coupon_id: UlidText | None
    note: str
    at: TimeText


class LoyaltyView(msgspec.Struct, frozen=True, rename="camel"):
    """Somebody's points: how many there are, how many a coupon takes, and the last entries."""

    balance: Annotated[int, Meta(description="Below nothing where a used coupon's point is gone.")]
    points_a_coupon: int
    data: list[EntryView]
    has_more: bool
    next_cursor: str | None


class LoyaltyQuery(PageQuery, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which entries are listed: all, a page at a time."""


class NewAdjustmentBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Points to give or to take, and why; a second person lets it happen."""

    user_id: Annotated[str, Meta(max_length=26)]
    points: Annotated[int, Meta(ge=-50, le=50)]
    note: Annotated[str, Meta(min_length=1, max_length=200, pattern=LINE)]


def entry_view(entry: LoyaltyEntry) -> EntryView:
    """Present an entry."""
    return EntryView(
        id=entry.id,
        kind=entry.kind,
        points=entry.points,
        order_id=entry.order_id,
        coupon_id=entry.coupon_id,
        note=entry.note,
        at=format_time(entry.at_ms),
    )
