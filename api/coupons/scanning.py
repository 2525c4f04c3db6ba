"""The order of a coupon that a till has scanned: by the coupon's own route, or as a new order."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import letter_of
from api.coupons.store import find_by_code
from api.errors import NotFound
from api.http.replies import Reply
from api.http.routes import ApiCall
from api.orders.schemas import order_view


async def open_by_coupon(
    call: ApiCall, code: str, product_id: str | None, metadata: Mapping[str, str]
) -> Reply:
    """Open the order, once a key; what device used the coupon is noted."""
    service, used = call.service, set[str]()

    async def work(connection: AsyncConnection) -> Reply:
        coupon = await find_by_code(connection, code.upper())
        if coupon is None:
            raise NotFound("there is no such coupon")
        order = await service.money.coupons.redeem(
            connection,
            coupon,
            call.merchant_id,
            product_id,
            letter_of(call.principal),
            metadata,
            service.now_ms(),
        )
        used.add(coupon.id)
        location = {"Location": f"/api/v1/orders/{order.id}"}
        return Reply(order_view(order, service.config), 201, location)

    answer = await service.answers.once(call.once, work)
    for coupon_id in used:
        service.watching.note_coupon(call.principal, call.merchant_id, coupon_id)
    return answer
