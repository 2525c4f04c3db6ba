"""Orders in JSON: what a till and a wallet send, and what they are told."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from api.http.scalars import (
    AddressText,
    BillText,
    HashText,
    MyrText,
    SignedBytes,
    TimeText,
    UlidText,
)

QUANTITY_MAX: Final = 100


class NewOrderBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a till opens an order with."""

    product_id: Annotated[str, Meta(description="An id of `GET /api/v1/products`.")]
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX, description="How many packs.")] = 1


class SignedPaymentBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What a wallet hands in for an order."""

    transaction: SignedBytes


class OrderPrice(msgspec.Struct, frozen=True, rename="camel"):
    """An amount in both currencies."""

    myr: MyrText
    bill: BillText


class RedeemedMilk(msgspec.Struct, frozen=True, rename="camel"):
    """The milk that a payment burns."""

    lot: HashText
    bill: BillText


class IntentView(msgspec.Struct, frozen=True, rename="camel"):
    """The payment that is expected."""

    state: str
    expires_at: TimeText


class OrderView(msgspec.Struct, frozen=True, rename="camel"):
    """An order, as its merchant sees it."""

    id: UlidText
    product_id: str
    quantity: int
    amount: OrderPrice
    state: str
    exception: Annotated[str | None, Meta(description="What a person has to mend.")]
    delta: Annotated[
        BillText | None, Meta(description="With an exception: what came in, less what was due.")
    ]
    created_at: TimeText
    expires_at: TimeText
    paid_at: TimeText | None
    merchant: str
    reference: HashText
    redeem: RedeemedMilk
    pay_to: AddressText
    pay_url: Annotated[str, Meta(description="What the QR holds.")]
    intent: IntentView


class OfferView(msgspec.Struct, frozen=True, rename="camel"):
    """What a wallet signs."""

    order_id: UlidText
    state: str
    merchant: str
    product_id: str
    quantity: int
    amount: OrderPrice
    address: AddressText
    prefix: str
    reference: HashText
    redeem: RedeemedMilk
    chain_id: HashText
    fee: BillText
    valid_until: TimeText
    valid_until_height: int


class TakenPayment(msgspec.Struct, frozen=True, rename="camel"):
    """A signed payment that is on its way."""

    tx_hash: HashText
    order_id: UlidText
    state: str
