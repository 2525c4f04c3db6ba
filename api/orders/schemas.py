"""Orders in JSON: what tills and wallets send, and how an order is shown to each reader."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.amounts import format_sen, format_time, signed_bill
from api.config import ApiConfig
from api.http.pages import SpanQuery
from api.http.scalars import (
    LINE,
    AddressText,
    BillText,
    Day,
    HashText,
    Livemode,
    MyrText,
    SignedBytes,
    TimeText,
    UlidText,
)
from api.http.unlogged import UNLOGGED
from api.orders.model import Order, OrderException, OrderState
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import format_address

ITEMS_MAX: Final = 8
QUANTITY_MAX: Final = 100
METADATA_MAX: Final = 20


class NewItemBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Packs of one product that a till sells."""

    product_id: Annotated[str, Meta(description="An id of `GET /api/v1/products`.")]
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX, description="How many packs.")] = 1


class NewOrderBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a till opens an order with."""

    items: Annotated[
        tuple[NewItemBody, ...],
        Meta(min_length=1, max_length=ITEMS_MAX, description="The basket."),
    ]
    metadata: Annotated[
        dict[
            Annotated[str, Meta(min_length=1, max_length=40)],
            Annotated[str, Meta(max_length=200)],
        ],
        Meta(max_length=METADATA_MAX, description="Your own notes, given back as they are."),
    ] = {}
    coupon_code: (
        Annotated[
            str,
            Meta(
                pattern="^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{16}$",
                description="What a coupon's QR holds: it buys the one pack of the basket.",
                extra=UNLOGGED,
            ),
        ]
        | UnsetType
    ) = UNSET


class OrdersQuery(SpanQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Which orders are asked for; newest first. Times are those at which they were opened."""

    state: OrderState | None = None
    exception: OrderException | None = None
    kind: Annotated[
        Literal["sale", "coupon"] | None, Meta(description="What pays it: money, or a coupon.")
    ] = None
    ticket: Annotated[str, Meta(max_length=8, description="As in A-27.")] = ""
    date: Annotated[Day | None, Meta(description="A day of the shop, in its own time zone.")] = None
    search: Annotated[
        str,
        Meta(
            max_length=64,
            pattern=LINE,
            description="An order's id, ticket or typed code, or the hash of a payment of it.",
        ),
    ] = ""


class Resolution(StrEnum):
    """What is done about what is odd."""

    ACCEPT = "accept"
    REFUND = "refund"


class ResolutionBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a manager does about an order's exception."""

    resolution: Annotated[
        Resolution,
        Meta(
            description="`accept` lets it be: the milk is handed over, what is too much is kept. "
            "`refund` gives back what is odd: what came in beyond the quote, or, of an order that "
            "was paid late or without its milk, all."
        ),
    ]


class SignedPaymentBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a wallet hands in for an order."""

    transaction: SignedBytes


class OrderPrice(msgspec.Struct, frozen=True, rename="camel"):
    """An amount in both currencies."""

    myr: MyrText
    bill: BillText


class ItemView(msgspec.Struct, frozen=True, rename="camel"):
    """Packs of one product in an order."""

    product_id: str
    quantity: int
    kind: str


class RedeemedMilk(msgspec.Struct, frozen=True, rename="camel"):
    """Milk that a payment burns, of a lot or product lot."""

    lot: HashText
    bill: BillText


class ReturnedPacks(msgspec.Struct, frozen=True, rename="camel"):
    """Packs that came back, and are sold with nothing to burn; of the lot they were of."""

    lot: HashText
    packs: int


class OrderCard(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An order as events and pages show it."""

    id: UlidText
    kind: str
    items: tuple[ItemView, ...]
    amount: OrderPrice
    state: str
    exception: Annotated[str | None, Meta(description="What a person has to mend.")]
    received: Annotated[BillText, Meta(description="All that came in for it.")]
    delta: Annotated[
        BillText | None,
        Meta(description="With an exception: what came in and was not given back, less the due."),
    ]
    in_flight: Annotated[
        HashText | None, Meta(description="The transaction that is on its way to pay it.")
    ]
    ticket: Annotated[str, Meta(description="What is called out when the milk is handed over.")]
    version: Annotated[int, Meta(description="Counts up with every change.")]
    created_at: TimeText
    expires_at: TimeText
    paid_at: TimeText | None
    fulfilled_at: Annotated[TimeText | None, Meta(description="When the milk was handed over.")]


class OrderView(OrderCard, frozen=True, rename="camel", kw_only=True):
    """An order, as its merchant sees it."""

    merchant: str
    code: Annotated[str, Meta(description="What a customer types who can't scan.")]
    metadata: dict[str, str]
    reference: HashText
    redeem: Annotated[
        tuple[RedeemedMilk, ...],
        Meta(description="What a payment burns; nothing where `returned` packs are sold again."),
    ]
    returned: tuple[ReturnedPacks, ...]
    pay_to: AddressText
    pay_url: Annotated[str, Meta(description="What the QR holds.")]
    livemode: Livemode


class OfferView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a wallet signs."""

    order_id: UlidText
    state: str
    in_flight: Annotated[
        bool, Meta(description="Somebody's payment is on its way: another would be refused.")
    ]
    merchant: str
    ticket: str
    items: tuple[ItemView, ...]
    amount: OrderPrice
    address: AddressText
    prefix: str
    reference: HashText
    redeem: tuple[RedeemedMilk, ...]
    chain_id: HashText
    fee: BillText
    valid_until: TimeText
    valid_until_height: int
    livemode: Livemode


class TakenPayment(msgspec.Struct, frozen=True, rename="camel"):
    """A signed payment that we answer for from now on."""

    tx_hash: HashText
    order_id: UlidText
    state: str


def _time(time_ms: int | None) -> str | None:
    return None if time_ms is None else format_time(time_ms)


def price_of(order: Order) -> OrderPrice:
    """Give an order's price."""
    return OrderPrice(format_sen(order.amount_sen), format_bill(Units(order.amount_units)))


def items_of(order: Order) -> tuple[ItemView, ...]:
    """Give what was sold."""
    return tuple(ItemView(item.product_id, item.quantity, item.kind) for item in order.items)


def redeem_of(order: Order) -> tuple[RedeemedMilk, ...]:
    """Give what a payment redeems, in the order in which the ledger wants it."""
    return tuple(RedeemedMilk(part.lot, format_bill(Units(part.units))) for part in order.basket)


def _shown(order: Order) -> dict[str, object]:
    return {
        "id": order.id,
        "kind": order.kind,
        "items": items_of(order),
        "amount": price_of(order),
        "state": order.state,
        "exception": order.exception,
        "received": format_bill(Units(order.received_units)),
        "delta": None if order.delta_units is None else signed_bill(order.delta_units),
        "in_flight": None if order.paying_tx is None else order.paying_tx.hex(),
        "ticket": order.ticket,
        "version": order.version,
        "created_at": format_time(order.created_ms),
        "expires_at": format_time(order.expires_ms),
        "paid_at": _time(order.paid_ms),
        "fulfilled_at": _time(order.fulfilled_ms),
    }


def card(order: Order) -> OrderCard:
    """Present an order to everyone who may see it."""
    return OrderCard(**_shown(order))  # type: ignore[arg-type]  # the members' types are above


def order_view(order: Order, config: ApiConfig) -> OrderView:
    """Present an order to its merchant: the card, and what it is paid by."""
    return OrderView(
        **_shown(order),  # type: ignore[arg-type]  # as above
        merchant=order.merchant,
        code=order.code,
        metadata=dict(order.metadata),
        reference=order.reference.hex(),
        redeem=redeem_of(order),
        returned=tuple(ReturnedPacks(part.lot, part.packs) for part in order.returned),
        pay_to=format_address(order.payout, config.prefix),
        pay_url=config.pay_url(order.id),
        livemode=config.livemode,
    )


def told_of(order: Order, tx_hash: bytes | None = None, outcome: str | None = None) -> object:
    """Give an event's body: the order's card, and the transaction that it tells of."""
    body: Mapping[str, object] = {"order": card(order)}
    return body if tx_hash is None else {**body, "txHash": tx_hash.hex(), "outcome": outcome}
