"""What is sold, and at which price, for everyone to read."""

from typing import Final

from api.amounts import format_sen, units_for
from api.catalogue.kinds import ALLERGENS, KINDS
from api.catalogue.schemas import (
    MilkKindView,
    ProductMilk,
    ProductName,
    ProductPrice,
    ProductView,
)
from api.http.pages import Listing
from api.http.routes import ApiCall, Route
from ledger.primitives.amounts import Units, format_bill


async def list_products(call: ApiCall) -> Listing[ProductView]:
    """List what is sold, with its price in RM and in BILL."""
    config = call.service.config
    views = [
        ProductView(
            product.id,
            ProductName(product.name_en, product.name_ms),
            product.kind,
            ProductPrice(
                format_sen(product.price_sen),
                format_bill(units_for(product.price_sen, config.litre_price_sen)),
            ),
            ProductMilk(format_bill(Units(product.redeem_units))),
        )
        for product in config.products
    ]
    return Listing(views, has_more=False, next_cursor=None)


async def list_kinds(call: ApiCall) -> Listing[MilkKindView]:
    """List the kinds of milk that there are, with what the law says of each."""
    days = await call.service.law.shelf_days()
    views = [
        MilkKindView(
            kind,
            ProductName(told.name_en, told.name_ms),
            told.fat,
            told.heat,
            told.source,
            told.lactose_free,
            ALLERGENS,
            days[kind],
        )
        for kind, told in KINDS.items()
    ]
    return Listing(views, has_more=False, next_cursor=None)


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/products",
        operation="listProducts",
        summary="List what is sold, with its price in RM and in BILL",
        tag="catalogue",
        handler=list_products,
        answer=Listing[ProductView],
    ),
    Route(
        method="GET",
        path="/api/v1/milk-kinds",
        operation="listMilkKinds",
        summary="List the kinds of milk: names, fat, heat, source, allergens, days on the shelf",
        tag="catalogue",
        handler=list_kinds,
        answer=Listing[MilkKindView],
        codes=("LEDGER_UNAVAILABLE",),
    ),
)
