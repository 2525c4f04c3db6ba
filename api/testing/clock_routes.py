"""`POST /api/v1/test/clock`: time passes for what a shop has open. Not on live chains.

The chain's time and the service's are everybody's and are not touched: what waits is made so much
older instead, of one shop alone. What is over then ends as it always does, within seconds.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.http.replies import Reply
from api.http.routes import ApiCall, Idempotency, Route
from api.testing.schemas import ClockBody, ClockView

SECOND_MS: Final = 1_000


async def advance_clock(call: ApiCall) -> Reply:
    """Let time pass for a shop's open orders and unused coupons."""
    service, seconds, shop = call.service, call.body.advance_seconds, call.merchant_id

    async def work(connection: AsyncConnection) -> Reply:
        orders = await _age_orders(connection, shop, seconds * SECOND_MS)
        coupons = await _age_coupons(connection, shop, seconds * SECOND_MS)
        return Reply(ClockView(advanced_seconds=seconds, orders=orders, coupons=coupons), 200)

    return await service.answers.once(call.once, work)


async def _age_orders(connection: AsyncConnection, merchant_id: str, age_ms: int) -> int:
    """Bring the ends of open orders closer; one that is being paid is paid in its time."""
    done = await connection.execute(
        text("""
            UPDATE orders o SET expires_ms = expires_ms - :age, version = version + 1
            FROM (SELECT id FROM orders WHERE merchant_id = :merchant
                AND state = 'awaiting_payment' AND paying_tx IS NULL
                ORDER BY id FOR NO KEY UPDATE) AS waiting
            WHERE o.id = waiting.id AND o.merchant_id = :merchant
        """),
        {"merchant": merchant_id, "age": age_ms},
    )
    return done.rowcount


async def _age_coupons(connection: AsyncConnection, merchant_id: str, age_ms: int) -> int:
    """Bring the ends of coupons closer that nobody uses just now."""
    done = await connection.execute(
        text("""
            UPDATE coupons c SET expires_ms = expires_ms - :age
            FROM (SELECT union_id, id FROM coupons WHERE merchant_id = :merchant
                AND state = 'issued' ORDER BY union_id, id FOR NO KEY UPDATE) AS unused
            WHERE c.union_id = unused.union_id AND c.id = unused.id
        """),
        {"merchant": merchant_id, "age": age_ms},
    )
    return done.rowcount


ROUTES: Final = (
    Route(
        method="POST",
        path="/api/v1/test/clock",
        operation="advanceTestClock",
        summary="On a chain of development: let time pass for a shop's open orders and coupons",
        tag="test",
        handler=advance_clock,
        body=ClockBody,
        answer=ClockView,
        idempotency=Idempotency.KEY,
        development=True,
    ),
)
