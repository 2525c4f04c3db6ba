"""What a till does with orders: opens them, watches them, hands the milk over.

`POST /api/v1/orders` wants an Idempotency-Key; the other acts are done once however often they are
sent. What wallets do stands in `api.orders.wallet_routes`.
"""

import asyncio
from time import monotonic
from typing import Final

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import letter_of
from api.coupons.scanning import open_by_coupon
from api.errors import NotFound, Pointer, Unprocessable
from api.http.headers import wait_asked_s
from api.http.pages import Listing, asked_for
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.orders import store
from api.orders.changes import Rule
from api.orders.drawing import NewOrder
from api.orders.model import Order
from api.orders.rules import cancel, fulfil, reopen
from api.orders.schemas import (
    NewOrderBody,
    OrdersQuery,
    OrderView,
    order_view,
)
from api.orders.wallet_routes import parse_ulid
from api.tenants.days import day_of
from api.tenants.store import find_merchant
from api.tenants.zones import TIME_ZONE_USUAL

LIST: Final = "listOrders"


async def create_order(call: ApiCall) -> Reply:
    """Open an order: price locked, reference drawn, milk reserved."""
    service, body, once = call.service, call.body, call.once
    assert once is not None, "the route wants a key"
    if body.coupon_code is not UNSET:
        return await _open_by_coupon(call)
    return await service.open_order(
        NewOrder(
            merchant_id=call.merchant_id,
            items=tuple((item.product_id, item.quantity) for item in body.items),
            once=once,
            letter=letter_of(call.principal),
            metadata=body.metadata,
        )
    )


async def _open_by_coupon(call: ApiCall) -> Reply:
    """Open an order that a coupon pays: of one pack, as a coupon buys one."""
    body, (first, *more) = call.body, call.body.items
    if more or first.quantity != 1:
        raise Unprocessable(
            "a coupon buys one pack",
            code="COUPON_TOO_SMALL",
            errors=(Pointer("/items", "MORE_THAN_ONE_PACK"),),
        )
    return await open_by_coupon(call, body.coupon_code, first.product_id, body.metadata)


async def list_orders(call: ApiCall) -> Listing[OrderView]:
    """List a merchant's orders, newest first."""
    service, query = call.service, call.query
    owner = asked_for(query, call.merchant_id)
    after = service.cursors.read(query.cursor, LIST, owner)
    async with service.engine.connect() as connection:
        orders = await store.list_orders(
            connection,
            call.merchant_id,
            await _filter_of(connection, query, call.merchant_id),
            str(after[0]) if after else None,
            query.limit + 1,
        )

    def view(order: Order) -> OrderView:
        return order_view(order, service.config)

    return service.cursors.page(orders, query.limit, lambda o: (o.id,), view, LIST, owner)


async def _filter_of(
    connection: AsyncConnection, query: OrdersQuery, merchant_id: str
) -> store.OrderFilter:
    """Say what a query is after; a day is a day of the shop."""
    from_ms, to_ms = query.since_ms, query.until_ms
    if query.date is not None:
        shop = await find_merchant(connection, merchant_id)
        begins_ms, ends_ms = day_of(query.date.day, shop.time_zone if shop else TIME_ZONE_USUAL)
        from_ms = max(begins_ms, from_ms or 0)
        to_ms = min(ends_ms, ends_ms if to_ms is None else to_ms)
    return store.OrderFilter(
        state=query.state,
        exception=query.exception,
        kind=query.kind,
        ticket=query.ticket or None,
        from_ms=from_ms,
        to_ms=to_ms,
        found=query.search.strip().upper() or None,
    )


async def read_order(call: ApiCall) -> OrderView:
    """Give an order; another merchant's is not found. `Prefer: wait` holds it until it changes."""
    service, order_id = call.service, parse_ulid(call.path["orderId"])
    wait_s = wait_asked_s(call.request.headers.getlist("prefer"), service.config.wait_s_max)
    end_s, order = monotonic() + wait_s, await _own(call, order_id)
    if wait_s:
        call.headers["Preference-Applied"] = f"wait={wait_s}"
    shown = order.version
    while order.version == shown and (left_s := end_s - monotonic()) > 0:
        waiting = service.waiters.add(order_id)
        if waiting is None:
            break
        try:
            # It may have changed between the look and the wait.
            order = await _own(call, order_id)
            if order.version == shown:
                await asyncio.wait((waiting,), timeout=left_s)
                order = await _own(call, order_id)
        finally:
            service.waiters.drop(order_id, waiting)
    return order_view(order, service.config)


async def _own(call: ApiCall, order_id: str) -> Order:
    order = await call.service.find_order(order_id)
    if order is None or order.merchant_id != call.merchant_id:
        raise NotFound("there is no such order")
    return order


async def cancel_order(call: ApiCall) -> OrderView:
    """Cancel an order that nobody pays."""
    return await _change(call, cancel, "order.cancelled")


async def fulfil_order(call: ApiCall) -> OrderView:
    """Hand the milk of an order over."""
    now_ms = call.service.now_ms()
    return await _change(call, lambda order: fulfil(order, now_ms), "order.fulfilled")


async def reopen_order(call: ApiCall) -> OrderView:
    """Take a hand-over back."""
    now_ms = call.service.now_ms()
    return await _change(call, lambda order: reopen(order, now_ms), "order.reopened")


async def _change(call: ApiCall, rule: Rule, event: str) -> OrderView:
    order_id = parse_ulid(call.path["orderId"])
    order = await call.service.change_order(call.merchant_id, order_id, rule, event)
    return order_view(order, call.service.config)


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/orders",
        operation="createOrder",
        summary="Open an order: price locked, reference drawn, milk reserved",
        tag="orders",
        handler=create_order,
        body=NewOrderBody,
        answer=OrderView,
        status=201,
        idempotency=Idempotency.KEY,
        codes=(
            "UNKNOWN_PRODUCT",
            "OUT_OF_STOCK",
            "PRICE_BELOW_MILK",
            "LEDGER_UNAVAILABLE",
            "NOT_FOUND",
            "COUPON_IN_USE",
            "COUPON_OVER",
            "COUPON_TOO_SMALL",
            "SIGNER_OFFLINE",
        ),
    ),
    Route(
        method="GET",
        path="/api/v1/orders",
        operation="listOrders",
        summary="List a merchant's orders by state, kind, day or a search, newest first",
        tag="orders",
        handler=list_orders,
        query=OrdersQuery,
        answer=Listing[OrderView],
    ),
    Route(
        method="GET",
        path="/api/v1/orders/{orderId}",
        operation="readOrder",
        summary="Read an order; another merchant's is not found",
        tag="orders",
        handler=read_order,
        answer=OrderView,
        waits=True,
        codes=("NOT_FOUND",),
    ),
    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/cancel",
        operation="cancelOrder",
        summary="Cancel an order that nobody pays; done twice, it is done once",
        tag="orders",
        handler=cancel_order,
        answer=OrderView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "PAYMENT_IN_FLIGHT", "ORDER_NOT_CANCELLABLE"),
    ),
    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/fulfill",
        operation="fulfilOrder",
        summary="Hand the milk of a paid order over; done twice, it is done once",
        tag="orders",
        handler=fulfil_order,
        answer=OrderView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "ORDER_NOT_PAID", "REFUND_IN_FLIGHT"),
    ),
    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/reopen",
        operation="reopenOrder",
        summary="Take a hand-over back, within a minute",
        tag="orders",
        handler=reopen_order,
        answer=OrderView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND", "TOO_LATE_TO_REOPEN"),
    ),
)
