"""What a till does with orders: opens them, watches them, hands the milk over.

`POST /api/v1/orders` wants an Idempotency-Key; the other acts are done once however often they are
sent. What wallets do stands in `api.orders.wallet_routes`.
"""

import asyncio
import re
from time import monotonic
from typing import Final

from ulid import ULID

from api.errors import NotFound, Pointer, Unprocessable
from api.http.headers import wait_asked_s
from api.http.pages import Listing
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.orders import store
from api.orders.changes import Rule
from api.orders.drawing import CODE_CHARS, CODE_LETTERS, NewOrder
from api.orders.model import Order
from api.orders.rules import accept, cancel, fulfil, reopen
from api.orders.schemas import (
    NewOrderBody,
    OrdersQuery,
    OrderView,
    ResolutionBody,
    order_view,
)

PAYMENT_BYTES_MAX: Final = 16_384
"""A transfer of a 16-key account fits, in hex; a mint does not and is not wanted here."""
QR_QUIET_MODULES: Final = 4
QR_SCALE: Final = 8
CODE_TEXT: Final = re.compile(f"[{CODE_LETTERS}]{{{CODE_CHARS}}}")
VARY: Final = {"Vary": "Accept"}


def parse_ulid(text: str) -> str:
    """Read an order's id in either case; raise `NotFound` for what can't be one."""
    try:
        return str(ULID.from_str(text.upper()))
    except ValueError:
        raise NotFound("there is no such order") from None


LIST: Final = "listOrders"


async def create_order(call: ApiCall) -> Reply:
    """Open an order: price locked, reference drawn, milk reserved."""
    service, body, once = call.service, call.body, call.once
    assert once is not None, "the route wants a key"
    unknown = tuple(
        Pointer(f"/items/{place}/productId", "UNKNOWN_PRODUCT")
        for place, item in enumerate(body.items)
        if item.product_id not in service.products
    )
    if unknown:
        raise Unprocessable(
            "not all of this is sold here: see GET /api/v1/products",
            code="UNKNOWN_PRODUCT",
            errors=unknown,
        )
    order = await service.open_order(
        NewOrder(
            merchant_id=call.merchant_id,
            items=tuple((service.products[i.product_id], i.quantity) for i in body.items),
            key=once.key,
            fingerprint=once.fingerprint,
            metadata=body.metadata,
        )
    )
    location = {"Location": f"/api/v1/orders/{order.id}"}
    return Reply(order_view(order, service.config), headers=location)


async def list_orders(call: ApiCall) -> Listing[OrderView]:
    """List a merchant's orders, newest first."""
    service, query = call.service, call.query
    owner = f"{call.merchant_id}/{query.state}/{query.exception}/{query.ticket}"
    after = service.cursors.read(query.cursor, LIST, owner)
    async with service.engine.connect() as connection:
        orders = await store.list_orders(
            connection,
            call.merchant_id,
            state=query.state,
            exception=query.exception,
            ticket=query.ticket or None,
            before_id=str(after[0]) if after else None,
            limit=query.limit + 1,
        )

    def view(order: Order) -> OrderView:
        return order_view(order, service.config)

    return service.cursors.page(orders, query.limit, lambda o: (o.id,), view, LIST, owner)


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


async def resolve_order(call: ApiCall) -> OrderView:
    """Let an order be as it is: what was odd about it is settled between people."""
    now_ms = call.service.now_ms()
    return await _change(call, lambda order: accept(order, now_ms), "order.resolved")


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
        codes=("UNKNOWN_PRODUCT", "OUT_OF_STOCK", "PRICE_BELOW_MILK", "LEDGER_UNAVAILABLE"),
    ),
    Route(
        method="GET",
        path="/api/v1/orders",
        operation="listOrders",
        summary="List a merchant's orders by state, exception or ticket, newest first",
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
        codes=("NOT_FOUND", "ORDER_NOT_PAID"),
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
    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/resolve",
        operation="resolveOrder",
        summary="Settle what is odd about an order, between people; done twice, it is done once",
        tag="orders",
        handler=resolve_order,
        body=ResolutionBody,
        answer=OrderView,
        idempotency=Idempotency.NATURAL,
        codes=("NOT_FOUND",),
    ),
)
