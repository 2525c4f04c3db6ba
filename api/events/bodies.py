"""What the `data` of an event is, kind by kind: the shapes that AsyncAPI tells of."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.approvals.schemas import ApprovalCard
from api.cash_outs.schemas import CashOutCard
from api.coupons.schemas import CouponCard
from api.events.kinds import EventKind
from api.flags.model import Detector
from api.http.scalars import HashText, UlidText
from api.orders.schemas import OrderCard
from api.refunds.schemas import RefundCard
from api.terminals.schemas import TillCard
from api.top_ups.schemas import TopUpCard


class OrderTold(msgspec.Struct, frozen=True, rename="camel"):
    """An order as it stands now; with the transaction that changed it, if one did."""

    order: OrderCard
    tx_hash: HashText | UnsetType = UNSET
    outcome: Annotated[
        str | UnsetType | None,
        Meta(description="What the transaction is by itself, once it is final."),
    ] = UNSET


class StrayTold(msgspec.Struct, frozen=True, rename="camel"):
    """A transfer without an order that is known."""

    tx_hash: HashText
    outcome: str
    units: Annotated[int, Meta(description="What came in, in millionths of a BILL.")]


class EndpointTold(msgspec.Struct, frozen=True, rename="camel"):
    """The endpoint that is tried."""

    endpoint_id: UlidText


class DisabledTold(msgspec.Struct, frozen=True, rename="camel"):
    """The endpoint that gets nothing more, and why: `failing` or `gone`."""

    endpoint_id: UlidText
    reason: str


class FlagTold(msgspec.Struct, frozen=True, rename="camel"):
    """A flag that is new. Whom it is about is told to people alone."""

    id: UlidText
    detector: Detector
    score: int


class TillTold(msgspec.Struct, frozen=True, rename="camel"):
    """A till as it stands now."""

    terminal: TillCard


class ApprovalTold(msgspec.Struct, frozen=True, rename="camel"):
    """A wish as it stands now."""

    approval: ApprovalCard


_BY_NOUN: Final[Mapping[str, type[msgspec.Struct]]] = {
    "order": OrderTold,
    "payment": OrderTold,
    "refund": RefundCard,
    "coupon": CouponCard,
    "top_up": TopUpCard,
    "cash_out": CashOutCard,
    "terminal": TillTold,
    "approval": ApprovalTold,
}
_BY_KIND: Final[Mapping[EventKind, type[msgspec.Struct]]] = {
    EventKind.PAYMENT_UNMATCHED: StrayTold,
    EventKind.FLAG_RAISED: FlagTold,
    EventKind.WEBHOOK_TEST: EndpointTold,
    EventKind.WEBHOOK_DISABLED: DisabledTold,
}


def body_of(kind: EventKind) -> type[msgspec.Struct]:
    """Give the shape of a kind's `data`."""
    return _BY_KIND.get(kind) or _BY_NOUN[kind.partition(".")[0]]
