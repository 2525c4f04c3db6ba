"""An order in words: what was sold, where its money stands, and what a person has to mend."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from ledger.primitives.keys import Address


class OrderState(StrEnum):
    """Where an order's money stands. That milk was handed over is a time beside it, no state."""

    AWAITING_PAYMENT = "awaiting_payment"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"


class OrderException(StrEnum):
    """What is odd about the money of an order, for a person to mend."""

    OVERPAID = "overpaid"
    PAID_LATE = "paid_late"
    DUPLICATE = "duplicate"
    PAID_AFTER_CANCEL = "paid_after_cancel"
    WRONG_REDEMPTION = "wrong_redemption"


class OrderEvent(StrEnum):
    """What may happen to an order's money."""

    PAID_IN_PART = "paid_in_part"
    PAID_WHOLE = "paid_whole"
    TIME_OVER = "time_over"
    CANCEL = "cancel"
    EXCESS_RETURNED = "excess_returned"
    REFUNDED_IN_PART = "refunded_in_part"
    REFUNDED_WHOLE = "refunded_whole"


class Item(Struct, frozen=True):
    """Packs of one product, at the price that was locked: `price_sen` and `redeem_units` a pack."""

    product_id: str
    quantity: int
    kind: str
    price_sen: int
    redeem_units: int


class Part(Struct, frozen=True):
    """Milk of one lot (in hex) or product lot that a payment redeems."""

    lot: str
    units: int
    kind: str


Basket = tuple[Part, ...]


class ReturnedPart(Struct, frozen=True):
    """Packs of one lot (in hex) whose milk was burned before, and by what they came back."""

    ref_id: str
    lot: str
    kind: str
    pack_units: int
    packs: int


Returned = tuple[ReturnedPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A sale. Its items, amounts and reference are its quote, written once."""

    id: str
    merchant_id: str
    merchant: str
    kind: str
    items: tuple[Item, ...]
    amount_sen: int
    amount_units: int
    redeem_units: int
    reference: bytes
    payout: Address
    basket: Basket
    """What a wallet is told to redeem now."""
    offered: Mapping[str, str]
    """The kind of each lot (in hex) that it was ever told."""
    returned: Returned = ()
    """Packs that came back and are sold again: then the basket is empty, nothing is redeemed."""
    code: str
    ticket: str
    metadata: Mapping[str, str]
    state: OrderState
    exception: OrderException | None = None
    received_units: int = 0
    refunded_units: int = 0
    paying_tx: bytes | None = None
    """The transaction on its way: while there is one, nobody else pays and nobody cancels."""
    version: int = 1
    created_ms: int
    expires_ms: int
    paid_ms: int | None = None
    fulfilled_ms: int | None = None

    @property
    def free(self) -> bool:
        """Tell whether it costs no ringgit: a coupon's purchase pays it, and no wallet's money."""
        return self.amount_sen == 0

    @property
    def milk_units(self) -> dict[str, int]:
        """Give the milk that is due, by kind: none for packs whose milk was burned before."""
        if self.returned:
            return {}
        milk: Counter[str] = Counter()
        for item in self.items:
            milk[item.kind] += item.quantity * item.redeem_units
        return {kind: units for kind, units in milk.items() if units}

    def changed(self, **changes: object) -> "Order":
        """Give the order with members changed, as its next version."""
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]

    @property
    def delta_units(self) -> int | None:
        """Give what came in and was not given back, less what was due; None if nothing is odd."""
        if self.exception is None:
            return None
        return self.received_units - self.refunded_units - self.amount_units


ORDER_COLUMNS: Final = """o.id, o.merchant_id, m.name AS merchant, o.kind, o.items::text AS items,
    o.amount_sen, o.amount_units, o.redeem_units, o.reference, o.payout, o.basket::text AS basket,
    o.offered::text AS offered, o.returned::text AS returned, o.code, o.ticket,
    o.metadata::text AS metadata, o.state, o.exception, o.received_units, o.refunded_units,
    o.paying_tx, o.version, o.created_ms, o.expires_ms, o.paid_ms, o.fulfilled_ms"""
"""What `read_order` reads, of `orders o` and `merchants m`."""

_items: Final = msgspec.json.Decoder(tuple[Item, ...])
_basket: Final = msgspec.json.Decoder(Basket)
_returned: Final = msgspec.json.Decoder(Returned)
_texts: Final = msgspec.json.Decoder(dict[str, str])


def read_order(row: Any) -> Order:
    """Read a row of `ORDER_COLUMNS`."""
    return Order(
        id=row.id,
        merchant_id=row.merchant_id,
        merchant=row.merchant,
        kind=row.kind,
        items=_items.decode(row.items),
        amount_sen=row.amount_sen,
        amount_units=row.amount_units,
        redeem_units=row.redeem_units,
        reference=row.reference,
        payout=Address(row.payout),
        basket=_basket.decode(row.basket),
        offered=_texts.decode(row.offered),
        returned=_returned.decode(row.returned),
        code=row.code,
        ticket=row.ticket,
        metadata=_texts.decode(row.metadata),
        state=OrderState(row.state),
        exception=None if row.exception is None else OrderException(row.exception),
        received_units=row.received_units,
        refunded_units=row.refunded_units,
        paying_tx=row.paying_tx,
        version=row.version,
        created_ms=row.created_ms,
        expires_ms=row.expires_ms,
        paid_ms=row.paid_ms,
        fulfilled_ms=row.fulfilled_ms,
    )
