"""Coupons: read by holder and shop, shown as a QR, scanned at a till, used on an order."""

import io
from typing import Final

import segno
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from api.access.roles import Role
from api.coupons.model import Coupon
from api.coupons.restoring import restore
from api.coupons.scanning import open_by_coupon
from api.coupons.schemas import (
    CouponsOf,
    CouponsQuery,
    CouponView,
    RedeemBody,
    UseCouponBody,
    coupon_view,
)
from api.coupons.store import find_coupon, list_coupons
from api.db.session import in_transaction
from api.errors import Forbidden, NotFound
from api.events.outbox import write_events
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.orders.schemas import OrderCard, OrderView, card
from api.orders.store import read_orders
from api.orders.wallet_routes import parse_ulid
from api.people.callers import person_of

LIST: Final = "listCoupons"
QR_QUIET_MODULES: Final = 4
QR_SCALE: Final = 8


def _shop(call: ApiCall) -> str | None:
    """Give the shop of which somebody is the manager."""
    return person_of(call).roles.get(Role.MANAGER)


async def _found(call: ApiCall, connection: AsyncConnection) -> Coupon:
    person = person_of(call)
    coupon = await find_coupon(connection, person.union_id, call.path["couponId"])
    if coupon is None or (coupon.user_id != person.user_id and coupon.merchant_id != _shop(call)):
        raise NotFound("there is no such coupon")
    return coupon


def _shown(call: ApiCall, coupon: Coupon) -> CouponView:
    mine = coupon.user_id == person_of(call).user_id
    return coupon_view(coupon, call.service.config, to_holder=mine)


async def read_coupons(call: ApiCall) -> Listing[CouponView]:
    """List one's coupons, or those of the shop that one manages, newest first."""
    person, query, shop = person_of(call), call.query, _shop(call)
    of_shop = query.of is CouponsOf.SHOP
    if of_shop and shop is None:
        raise Forbidden("you manage no shop")
    owner = f"{person.union_id}|{shop if of_shop else person.user_id}"
    cursors = call.service.cursors
    below = cursors.read(query.cursor, LIST, owner)
    async with call.service.engine.connect() as connection:
        rows = await list_coupons(
            connection,
            person.union_id,
            user_id=None if of_shop else person.user_id,
            merchant_id=shop if of_shop else None,
            state=query.state,
            before_id=None if below is None else str(below[0]),
            limit=query.limit + 1,
        )
    return cursors.page(rows, query.limit, _place, lambda one: _shown(call, one), LIST, owner)


def _place(coupon: Coupon) -> tuple[str]:
    return (coupon.id,)


async def read_coupon(call: ApiCall) -> CouponView:
    """Give a coupon; somebody else's is not found."""
    async with call.service.engine.connect() as connection:
        return _shown(call, await _found(call, connection))


async def draw_qr(call: ApiCall) -> Response:
    """Draw the QR that a till scans: the coupon's code."""
    async with call.service.engine.connect() as connection:
        coupon = await _found(call, connection)
    if coupon.user_id != person_of(call).user_id:
        raise NotFound("there is no such coupon of yours")
    code = segno.make(coupon.code, error="m", boost_error=False, micro=False)
    out = io.BytesIO()
    code.save(out, kind="svg", scale=QR_SCALE, border=QR_QUIET_MODULES, light="#fff")
    headers = {"Cache-Control": "private, no-store"}
    return Response(out.getvalue(), media_type="image/svg+xml", headers=headers)


async def revoke_coupon(call: ApiCall) -> CouponView:
    """Take a coupon back that nobody has used."""
    service = call.service

    async def work(connection: AsyncConnection) -> Coupon:
        coupon = await _found(call, connection)
        if coupon.merchant_id != _shop(call):
            raise NotFound("there is no such coupon of your shop")
        revoked, events = await service.money.coupons.revoke(connection, coupon, service.now_ms())
        await write_events(connection, events)
        return revoked

    return _shown(call, await in_transaction(service.engine, work))


async def restore_coupon(call: ApiCall) -> CouponView:
    """Give a coupon back to its holder whose milk was not handed over."""
    service = call.service

    async def work(connection: AsyncConnection) -> Coupon:
        coupon = await _found(call, connection)
        if coupon.merchant_id != _shop(call):
            raise NotFound("there is no such coupon of your shop")
        good, events = await restore(connection, coupon, service.now_ms())
        await write_events(connection, events)
        return good

    return _shown(call, await in_transaction(service.engine, work))


async def redeem_coupon(call: ApiCall) -> Reply:
    """Open the order of a coupon that a till has scanned."""
    return await open_by_coupon(call, call.path["couponCode"], call.body.product_id, {})


async def use_coupon(call: ApiCall) -> OrderCard:
    """Let a student's coupon pay an order that they have scanned."""
    service, person = call.service, person_of(call)
    order_id = parse_ulid(call.path["orderId"])
    used = dict[str, str]()

    async def work(connection: AsyncConnection) -> OrderCard:
        order = (await read_orders(connection, [order_id], lock=True)).get(order_id)
        coupon = await find_coupon(connection, person.union_id, call.body.coupon_id)
        if order is None or coupon is None or coupon.user_id != person.user_id:
            raise NotFound("there is no such order, or no such coupon of yours")
        if coupon.order_id == order.id:
            return card(order)
        free, events = await service.money.coupons.use(connection, coupon, order, service.now_ms())
        await write_events(connection, events)
        used[coupon.id] = order.merchant_id
        return card(free)

    shown = await in_transaction(service.engine, work)
    for coupon_id, merchant_id in used.items():
        service.watching.note_coupon(person, merchant_id, coupon_id)
    return shown


ROUTES: Final = (
    Route(
        method="GET",
        path="/api/v1/coupons",
        operation=LIST,
        summary="List one's coupons, or those of one's shop, newest first",
        tag="coupons",
        handler=read_coupons,
        query=CouponsQuery,
        answer=Listing[CouponView],
    ),
    Route(
        method="GET",
        path="/api/v1/coupons/{couponId}",
        operation="readCoupon",
        summary="Read a coupon; somebody else's is not found",
        tag="coupons",
        handler=read_coupon,
        answer=CouponView,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="GET",
        path="/api/v1/coupons/{couponId}/qr.svg",
        operation="drawCouponQr",
        summary="Draw the QR that a till scans, as SVG",
        tag="coupons",
        handler=draw_qr,
        media=("image/svg+xml",),
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/coupons/{couponId}/revoke",
        operation="revokeCoupon",
        summary="Take a coupon back that nobody has used",
        tag="coupons",
        handler=revoke_coupon,
        answer=CouponView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "COUPON_IN_USE", "COUPON_OVER"),
    ),
    Route(
        method="POST",
        path="/api/v1/coupons/{couponId}/restore",
        operation="restoreCoupon",
        summary="Give a used coupon back to its holder whose milk was not handed over",
        tag="coupons",
        handler=restore_coupon,
        answer=CouponView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "COUPON_IN_USE", "COUPON_OVER", "NOT_RESTORABLE"),
    ),
    Route(
        method="POST",
        path="/api/v1/coupons/{couponCode}/redeem",
        operation="redeemCoupon",
        summary="Open the order of a coupon that the till has scanned: it costs 0.00",
        tag="coupons",
        handler=redeem_coupon,
        body=RedeemBody,
        answer=OrderView,
        unlogged=("couponCode",),
        status=201,
        idempotency=Idempotency.KEY,
        codes=(
            "NOT_FOUND",
            "COUPON_IN_USE",
            "COUPON_OVER",
            "COUPON_TOO_SMALL",
            "PRICE_BELOW_MILK",
            "UNKNOWN_PRODUCT",
            "OUT_OF_STOCK",
            "SIGNER_OFFLINE",
        ),
    ),
    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/coupon",
        operation="useCoupon",
        summary="Let one's coupon pay an order that one has scanned",
        tag="coupons",
        handler=use_coupon,
        body=UseCouponBody,
        answer=OrderCard,
        idempotency=Idempotency.NATURAL,
        codes=(
            "NOT_FOUND",
            "COUPON_IN_USE",
            "COUPON_OVER",
            "COUPON_TOO_SMALL",
            "ORDER_NOT_PAYABLE",
            "OUT_OF_STOCK",
            "SIGNER_OFFLINE",
        ),
    ),
)
