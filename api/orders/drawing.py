"""Drawing up an order: its price, its reference, its code, and the lots that it takes. Pure.

But for chance: references and codes are drawn at random, so that nobody can guess another's.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ulid import ULID

from api.access.principals import KEYS_LETTER
from api.amounts import units_for
from api.catalogue.model import ShopProduct
from api.catalogue.shelves import Packs, ReturnedShelf, Shelf, draw, draw_returned
from api.errors import ApiFault, Conflict, Pointer, Unprocessable
from api.http.idempotency import Token
from api.orders.model import Basket, Item, Order, OrderState
from ledger.primitives.keys import Address
from ledger.types.transfer import REFERENCE_BYTES
from node.client.tracing import TRACEPARENT

SALE: Final = "sale"
CODE_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: none is taken for another."""
CODE_CHARS: Final = 6


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to open, once: `once` names who asks for it, and under which key."""

    merchant_id: str
    items: tuple[tuple[str, int], ...]
    """Ids of products, and how many packs of each."""
    once: Token
    letter: str = KEYS_LETTER
    """The till's, which stands on the ticket."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    trace: str = field(default_factory=TRACEPARENT.get)
    """Under which it was asked for: many are opened at once."""


BELOW_MILK: Final = "at the price of milk now, this costs less than the milk in it"

DrawnOrder = Order | ApiFault
"""An order that was drawn up, or why there is none."""


@dataclass(frozen=True, slots=True)
class Seller:
    """Who sells, the account that is paid, and the products that were asked for and are sold."""

    name: str
    payout: Address
    products: dict[str, ShopProduct]


@dataclass(frozen=True, slots=True)
class Terms:
    """What all orders of one moment have in common."""

    litre_price_sen: int
    created_ms: int
    expires_ms: int


def draw_up(
    request: NewOrder,
    seller: Seller,
    shelves: Sequence[Shelf],
    terms: Terms,
    returned: Sequence[ReturnedShelf] = (),
) -> DrawnOrder:
    """Draw up an order: of packs that came back, else of lots' milk; or say why there is none."""
    quote = _quote(request, seller, terms.litre_price_sen)
    if isinstance(quote, ApiFault):
        return quote
    came_back = draw_returned(returned, packs_of(quote.items))
    basket = () if came_back else draw(shelves, packs_of(quote.items))
    if basket is None:
        return Conflict("no lots in date hold that much of this milk", code="OUT_OF_STOCK")
    return Order(
        # By the service's clock: the newest order is the last by its id, whatever NTP does.
        id=str(ULID.from_timestamp(terms.created_ms)),
        merchant_id=request.merchant_id,
        merchant=seller.name,
        kind=SALE,
        items=quote.items,
        amount_sen=quote.amount_sen,
        amount_units=quote.amount_units,
        redeem_units=sum(part.units for part in basket),
        reference=secrets.token_bytes(REFERENCE_BYTES),
        payout=seller.payout,
        basket=basket,
        offered=offered_with(basket),
        returned=came_back,
        code="".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_CHARS)),
        ticket="",
        metadata=request.metadata,
        state=OrderState.AWAITING_PAYMENT,
        created_ms=terms.created_ms,
        expires_ms=terms.expires_ms,
    )


@dataclass(frozen=True, slots=True)
class _Quote:
    """What was asked for, at the prices of now."""

    items: tuple[Item, ...]
    amount_sen: int
    amount_units: int


def _quote(request: NewOrder, seller: Seller, litre_price_sen: int) -> _Quote | ApiFault:
    """Give what a request costs; or say why it is not sold."""
    if refused := _unsold(request, seller) or _below_milk(request, seller, litre_price_sen):
        return refused
    items = tuple(item_of(seller.products[name], count) for name, count in request.items)
    amount_sen = sum(item.price_sen * item.quantity for item in items)
    amount_units = units_for(amount_sen, litre_price_sen)
    if amount_units < sum(item.redeem_units * item.quantity for item in items):
        return Conflict(BELOW_MILK, code="PRICE_BELOW_MILK")
    return _Quote(items, amount_sen, amount_units)


def _unsold(request: NewOrder, seller: Seller) -> Unprocessable | None:
    """Say what of a request is not sold; None if all of it is."""
    unknown = tuple(
        Pointer(f"/items/{place}/productId", "UNKNOWN_PRODUCT")
        for place, (product_id, _) in enumerate(request.items)
        if product_id not in seller.products
    )
    detail = "not all of this is sold here: see GET /api/v1/products"
    return Unprocessable(detail, code="UNKNOWN_PRODUCT", errors=unknown) if unknown else None


def _below_milk(request: NewOrder, seller: Seller, litre_price_sen: int) -> Conflict | None:
    """Say what of a request is paused, whatever else would carry it; None if nothing is."""
    paused = tuple(
        Pointer(f"/items/{place}/productId", "PRICE_BELOW_MILK")
        for place, (product_id, _) in enumerate(request.items)
        if not seller.products[product_id].covers(litre_price_sen)
    )
    return Conflict(BELOW_MILK, code="PRICE_BELOW_MILK", errors=paused) if paused else None


def item_of(product: ShopProduct, quantity: int) -> Item:
    """Give packs of a product at the price that it has now."""
    return Item(product.id, quantity, product.kind, product.price_sen, product.redeem_units)


def packs_of(items: Sequence[Item]) -> list[Packs]:
    """List the packs that an order holds."""
    return [Packs(item.kind, item.redeem_units, item.quantity) for item in items]


def offered_with(basket: Basket, before: Mapping[str, str] | None = None) -> dict[str, str]:
    """Add a basket's lots to those that an order was offered before."""
    return {**(before or {}), **{part.lot: part.kind for part in basket}}
