"""A manager settles what is odd about an order: lets it be, or gives back what is too much."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.principals import name_of
from api.errors import Conflict, Forbidden
from api.events.outbox import write_events
from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.orders.changes import apply_rule, lock_order
from api.orders.rules import accept
from api.orders.schemas import OrderView, Resolution, ResolutionBody, order_view
from api.orders.wallet_routes import parse_ulid
from api.refunds.approving import ALONE_SEN_MAX
from api.refunds.store import goes_back
from api.signing.accounts import paying_account


async def resolve_order(call: ApiCall) -> Reply:
    """Let an order be as it is, or give back what is odd about it."""
    service, order_id = call.service, parse_ulid(call.path["orderId"])

    async def work(connection: AsyncConnection) -> Reply:
        now_ms = service.now_ms()
        order = await lock_order(connection, call.merchant_id, order_id)
        if await goes_back(connection, call.merchant_id, order_id):
            raise Conflict("a refund of this order is on its way", code="REFUND_IN_FLIGHT")
        if call.body.resolution is Resolution.ACCEPT:
            witness = service.money.order_changed
            order = await apply_rule(
                connection, order, lambda o: accept(o, now_ms), "order.resolved", now_ms, witness
            )
        else:
            account = await paying_account(connection, call.merchant_id, now_ms)
            by, refunds = name_of(call.principal), service.money.refunds
            prepared = await refunds.prepare_odd(connection, order, by, now_ms)
            if sum(one.worth_sen for one in prepared) > ALONE_SEN_MAX:
                raise Forbidden(
                    "above RM 50 a second person lets a refund begin: ask at /refunds/approvals",
                    code="SECOND_PERSON_NEEDED",
                )
            begun = [
                await refunds.begin(connection, one, account.account, now_ms) for one in prepared
            ]
            await write_events(connection, [event for _, event in begun])
        return Reply(order_view(order, service.config), 200)

    reply = await service.answers.once(call.once, work)
    service.feed.poke()
    return reply


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/orders/{orderId}/resolve",
        operation="resolveOrder",
        summary="Let what is odd about an order be, or give back what is too much",
        tag="orders",
        handler=resolve_order,
        body=ResolutionBody,
        answer=OrderView,
        idempotency=Idempotency.KEY,
        codes=(
            "NOT_FOUND",
            "NOTHING_LEFT",
            "REFUND_IN_FLIGHT",
            "SECOND_PERSON_NEEDED",
            "SIGNER_OFFLINE",
        ),
    ),
)
