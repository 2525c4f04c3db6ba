"""What the service answers, as far as a partner's program needs it; new members are ignored.

Amounts are decimal text, as they came: a float would lose sen.
"""

from typing import Any

import msgspec


class Amounts(msgspec.Struct, frozen=True):
    """A price in both currencies."""

    myr: str
    bill: str


class SoldItem(msgspec.Struct, frozen=True, rename="camel"):
    """Packs of one product."""

    product_id: str
    quantity: int
    kind: str = ""


class Product(msgspec.Struct, frozen=True, rename="camel"):
    """A pack that is sold."""

    id: str
    kind: str
    name: dict[str, str]
    price: Amounts


class ShopOrder(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An order, as its merchant sees it."""

    id: str
    state: str
    exception: str | None
    items: tuple[SoldItem, ...]
    amount: Amounts
    received: str
    ticket: str
    code: str
    version: int
    pay_url: str
    reference: str
    metadata: dict[str, str]
    created_at: str
    expires_at: str
    paid_at: str | None
    fulfilled_at: str | None

    @property
    def paid(self) -> bool:
        """Tell whether the milk may be handed over: it is paid, and nothing about it is odd."""
        return self.state == "paid" and self.exception is None


class OrderOffer(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What a wallet signs."""

    order_id: str
    state: str
    amount: Amounts
    address: str
    reference: str
    chain_id: str
    fee: str
    valid_until_height: int


class ValidationTold(msgspec.Struct, frozen=True, rename="camel"):
    """Whether one transaction alone paid an order exactly; if not, `error` says why."""

    valid: bool
    confirmed_at: str | None
    error: str | None


class RefundTold(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A refund, and how far it has come."""

    id: str
    state: str
    order_id: str | None
    tx_hash: str
    amount: str | None
    bill: str
    refund_tx_hash: str | None


class Event(msgspec.Struct, frozen=True, rename="camel"):
    """What happened. `id` is the same each time it is sent; `sequence` has no gaps."""

    id: str
    type: str
    sequence: int
    timestamp: str
    api_version: str
    livemode: bool
    data: dict[str, Any]


class TraceFarm(msgspec.Struct, frozen=True):
    """A farm, and how much of its milk is in a lot."""

    farm: str
    milk: str


class LotTold(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A lot of milk."""

    id: str
    kind: str
    plant: str
    expires_at: str
    status: str


class MilkWay(msgspec.Struct, frozen=True):
    """One lot's way to its farms."""

    redeemed: str
    lot: LotTold
    farms: tuple[TraceFarm, ...]
    complete: bool


class MilkTrace(msgspec.Struct, frozen=True, rename="camel"):
    """Where milk comes from: a way for each lot that it is of."""

    order_id: str | None
    milk: tuple[MilkWay, ...]
    complete: bool


class CustomerActed(msgspec.Struct, frozen=True, rename="camel"):
    """What the made-up customer of a development chain did."""

    transactions: tuple[str, ...]
    refund_id: str | None


class MadeEndpoint(msgspec.Struct, frozen=True, rename="camel"):
    """A webhook endpoint's id, and the secret that is shown once."""

    id: str
    secret: str
    public_key: str


class ProblemPointer(msgspec.Struct, frozen=True):
    """A member that is wrong: a JSON pointer, and what is wrong with it."""

    pointer: str
    code: str
