"""What is sold, at which price, for everyone to read; a shop's own products are its manager's."""

from typing import Final

from msgspec import UNSET, UnsetType
from sqlalchemy.ext.asyncio import AsyncConnection

from api.catalogue import store
from api.catalogue.approving import ask_for_price
from api.catalogue.kinds import ALLERGENS, KINDS
from api.catalogue.model import PACK_UNITS_MAX, PRICE_SEN_MAX, SHARED, ShopProduct
from api.catalogue.schemas import (
    ChangedProductView,
    MilkKindView,
    NewProductBody,
    ProductChangesBody,
    ProductName,
    ProductQuery,
    ProductsQuery,
    ProductView,
    product_view,
)
from api.errors import NotFound, Pointer, Unprocessable
from api.http.pages import Listing, asked_for
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.people.callers import person_of
from api.people.means import Actor

LIST: Final = "listProducts"


async def list_products(call: ApiCall) -> Listing[ProductView]:
    """List what is sold, with its price in RM and in BILL."""
    query, cursors = call.query, call.service.cursors
    owner = asked_for(query, "")
    after = cursors.read(query.cursor, LIST, owner)
    async with call.service.engine.connect() as connection:
        rows = await store.list_products(
            connection,
            _shop(query.merchant_id),
            kind=query.kind,
            active=query.active,
            litre_price_sen=call.service.config.litre_price_sen,
            after=None if after is None else (str(after[0]), int(after[1]), str(after[2])),
            limit=query.limit + 1,
        )
    return cursors.page(rows, query.limit, _place, lambda one: _view(call, one), LIST, owner)


def _place(product: ShopProduct) -> tuple[str, int, str]:
    return product.kind, product.redeem_units, product.id


def _shop(merchant_id: str | UnsetType) -> str:
    return SHARED if merchant_id is UNSET else merchant_id.upper()


def _view(call: ApiCall, product: ShopProduct) -> ProductView:
    return product_view(product, call.service.config.litre_price_sen)


async def read_product(call: ApiCall) -> ProductView:
    """Give a product."""
    async with call.service.engine.connect() as connection:
        found = await store.find_product(
            connection, _shop(call.query.merchant_id), call.path["productId"]
        )
    if found is None:
        raise NotFound("there is no such product")
    return _view(call, found)


async def begin_product(call: ApiCall) -> Reply:
    """Let a merchant sell something new."""
    body, service = call.body, call.service
    _check_sum("/price", body.price.sen, PRICE_SEN_MAX)
    _check_sum("/redeem", body.redeem.units, PACK_UNITS_MAX)
    product = ShopProduct(
        merchant_id=call.merchant_id,
        id=body.id,
        name_en=body.name.en,
        name_ms=body.name.ms,
        kind=str(body.kind),
        price_sen=body.price.sen,
        redeem_units=body.redeem.units,
    )

    async def work(connection: AsyncConnection) -> Reply:
        begun = await service.catalogue.begin(connection, product)
        at = f"/api/v1/products/{begun.id}?merchantId={begun.merchant_id}"
        return Reply(_view(call, begun), 201, {"Location": at})

    return await service.answers.once(call.once, work)


async def change_product(call: ApiCall) -> Reply:
    """Write names anew, pause, resume; ask a second person for another price."""
    body, service, person = call.body, call.service, person_of(call)
    shop, product_id = call.merchant_id, call.path["productId"]
    price_sen = None if body.price is UNSET else body.price.sen
    if price_sen is not None:
        _check_sum("/price", price_sen, PRICE_SEN_MAX)
    changes: dict[str, object] = {}
    if body.name is not UNSET:
        changes |= {"name_en": body.name.en, "name_ms": body.name.ms}
    if body.active is not UNSET:
        changes["active"] = body.active

    async def work(connection: AsyncConnection) -> Reply:
        product = await service.catalogue.correct(connection, shop, product_id, changes)
        approval_id = None
        if price_sen is not None and price_sen != product.price_sen:
            service.catalogue.check_price(product, price_sen)
            actor = Actor(person.union_id, person.user_id)
            approval = await ask_for_price(
                connection, service.desks, actor, shop, product, price_sen
            )
            approval_id = approval.id
        return Reply(ChangedProductView(_view(call, product), approval_id), 200)

    return await service.answers.once(call.once, work)


def _check_sum(pointer: str, value: int, most: int) -> None:
    if not 0 < value <= most:
        told = (Pointer(pointer, "OUT_OF_RANGE"),)
        raise Unprocessable("that is nothing, or too much", code="REFUSED", errors=told)


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
        operation=LIST,
        summary="List what is sold, by all merchants or by one, with its price in RM and in BILL",
        tag="catalogue",
        handler=list_products,
        query=ProductsQuery,
        answer=Listing[ProductView],
    ),
    Route(
        method="GET",
        path="/api/v1/products/{productId}",
        operation="readProduct",
        summary="Read a product",
        tag="catalogue",
        handler=read_product,
        query=ProductQuery,
        answer=ProductView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/products",
        operation="createProduct",
        summary="Let one's shop sell something new",
        tag="catalogue",
        handler=begin_product,
        body=NewProductBody,
        answer=ProductView,
        status=201,
        idempotency=Idempotency.KEY,
        codes=("ALREADY_KNOWN", "TOO_MANY_PRODUCTS", "PRICE_BELOW_MILK", "REFUSED"),
    ),
    Route(
        method="PATCH",
        path="/api/v1/products/{productId}",
        operation="changeProduct",
        summary="Rename, pause or resume a product; another price waits for a second person",
        tag="catalogue",
        handler=change_product,
        body=ProductChangesBody,
        answer=ChangedProductView,
        idempotency=Idempotency.KEY,
        codes=("NOT_FOUND", "TOO_MANY_PRODUCTS", "PRICE_BELOW_MILK", "REFUSED"),
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
