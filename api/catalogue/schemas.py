"""The catalogue in JSON: products with both names and both prices."""

from typing import Annotated

import msgspec
from msgspec import Meta

from api.catalogue.kinds import Fat, Heat, Source
from api.http.scalars import BillText, MyrText


class ProductName(msgspec.Struct, frozen=True, rename="camel"):
    """A product's name in both languages."""

    en: str
    ms: str


class ProductPrice(msgspec.Struct, frozen=True, rename="camel"):
    """A product's price in both currencies."""

    myr: MyrText
    bill: BillText


class ProductMilk(msgspec.Struct, frozen=True, rename="camel"):
    """The milk in a product."""

    bill: BillText


class ProductView(msgspec.Struct, frozen=True, rename="camel"):
    """A pack that is sold."""

    id: str
    name: ProductName
    kind: str
    price: ProductPrice
    redeem: ProductMilk


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
