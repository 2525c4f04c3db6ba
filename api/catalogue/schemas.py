"""The catalogue in JSON: products with both names and both prices."""

import msgspec

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
