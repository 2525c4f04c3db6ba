"""The made-up customer in JSON: what it is asked to do, and what it did."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from api.http.scalars import AddressText, BillText, HashText, Litres, UlidText
from api.testing.model import PayAs

ADVANCE_S_MAX: Final = 100 * 86_400
"""A hundred days: no coupon of points is good for longer."""


class CustomerPaymentBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What the customer is to do."""

    pay_as: Annotated[
        PayAs,
        Meta(
            description="`exact`; `late`, after its time; `under`, half of it; `over`, a tenth too "
            "much; `twice`; `never`: its time runs out; `refunded`: paid, and given back."
        ),
    ] = msgspec.field(name="as")


class CustomerPaymentView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What the customer did."""

    order_id: UlidText
    pay_as: PayAs = msgspec.field(name="as")
    transactions: Annotated[list[HashText], Meta(description="What it signed, in order.")]
    refund_id: UlidText | None


class NewWalletBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """How much the wallet is sent."""

    bill: Litres


class NewWalletView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A wallet of a chain of development. Its seed is known to this service: for trying alone."""

    address: AddressText
    seed: Annotated[
        str, Meta(pattern="^[0-9a-f]{64}$", description="The Ed25519 seed, in hex: it signs.")
    ]
    bill: BillText
    tx_hash: Annotated[HashText, Meta(description="The transfer; it is final within seconds.")]


class ClockBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """How much time is to pass for the shop."""

    advance_seconds: Annotated[int, Meta(ge=1, le=ADVANCE_S_MAX)]


class ClockView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """How much time has passed, and for how many open orders and unused coupons."""

    advanced_seconds: int
    orders: int
    coupons: int
