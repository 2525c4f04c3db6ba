"""The catalogue in JSON: products with both names and both prices, and what a manager sends."""

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.amounts import format_sen, units_for
from api.catalogue.kinds import Fat, Heat, Source
from api.catalogue.model import SHARED, ShopProduct
from api.http.pages import PageQuery
from api.http.scalars import LINE, BillText, Litres, MyrText, Ringgit, UlidText
from ledger.primitives.amounts import Units, format_bill
from ledger.types.evidence import MilkKind

ULID: Final = "^[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}$"
NameText = Annotated[str, Meta(min_length=1, max_length=80, pattern=LINE)]
ProductIdText = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)",
        description="What the shop calls it, for good.",
        examples=["goat-200"],
    ),
]
ShopId = Annotated[
    str, Meta(pattern=ULID, description="A merchant: its own products, too, and its own prices.")
]


class ProductName(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A product's name in both languages."""

    en: NameText
    ms: NameText


class ProductPrice(msgspec.Struct, frozen=True, rename="camel"):
    """A product's price in both currencies."""

    myr: MyrText
    bill: BillText


class ProductMilk(msgspec.Struct, frozen=True, rename="camel"):
    """The milk in a product."""

    bill: BillText


class ProductView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A pack that is sold."""

    id: str
    name: ProductName
    kind: str
    price: ProductPrice
    redeem: ProductMilk
    merchant_id: Annotated[
        UlidText | None, Meta(description="Whose own it is; null for what all merchants sell.")
    ]
    active: Annotated[bool, Meta(description="Whether it is sold now.")]
    below_milk: Annotated[
        bool,
        Meta(description="Whether it is paused for costing less than its milk, as prices are now."),
    ]


class ProductsQuery(
    PageQuery, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Which products are asked for; without a merchant, those that all merchants sell."""

    merchant_id: ShopId | UnsetType = UNSET
    kind: MilkKind | None = None
    active: Annotated[bool, Meta(description="`false` for those that are paused.")] = True


class ProductQuery(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """Whose product is asked for."""

    merchant_id: ShopId | UnsetType = UNSET


class NewProductBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """A pack that a merchant begins to sell. Its kind and size are for good."""

    id: ProductIdText
    name: ProductName
    kind: MilkKind
    price: Ringgit
    redeem: Litres


class ProductChangesBody(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What of a product is to be written anew. A price waits for a second person."""

    name: ProductName | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    price: Ringgit | UnsetType = UNSET


class ChangedProductView(msgspec.Struct, frozen=True, rename="camel"):
    """A product after a change, and the price of it that waits for a second person."""

    product: ProductView
    approval_id: UlidText | None


class MilkKindView(msgspec.Struct, frozen=True, rename="camel"):
    """A kind of milk."""

    kind: str
    name: ProductName
    fat: Fat
    heat: Heat
    source: Source
    lactose_free: bool
    allergens: tuple[str, ...]
    shelf_days: Annotated[int, Meta(description="How long the law lets a lot of it be sold.")]


def product_view(product: ShopProduct, litre_price_sen: int) -> ProductView:
    """Present a product at the price of milk now."""
    return ProductView(
        id=product.id,
        name=ProductName(product.name_en, product.name_ms),
        kind=product.kind,
        price=ProductPrice(
            format_sen(product.price_sen),
            format_bill(units_for(product.price_sen, litre_price_sen)),
        ),
        redeem=ProductMilk(format_bill(Units(product.redeem_units))),
        merchant_id=None if product.merchant_id == SHARED else product.merchant_id,
        active=product.active and product.covers(litre_price_sen),
        below_milk=not product.covers(litre_price_sen),
    )
