"""Opening orders, in batches: price locked, reference and code drawn, milk reserved.

One batch is one transaction: it locks the shelves, writes orders, claims, events and the answers
that keys are given. A key that was answered before is answered so again (`api.http.idempotency`).
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus
from typing import Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.catalogue.returned import open_returned, take_packs
from api.catalogue.shelves import Shelf
from api.catalogue.stock import open_shelves, reserve
from api.config import ApiConfig
from api.db.session import in_transaction
from api.db.statements import text
from api.errors import ApiFault
from api.events.outbox import NewEvent, draw_numbers, insert_events
from api.http.idempotency import AnswerStore
from api.http.replies import Reply
from api.orders.drawing import NewOrder, Terms, draw_up
from api.orders.model import Order
from api.orders.opening_store import find_sellers, insert_orders
from api.orders.schemas import order_view, told_of

CREATED: Final = "order.created"
CODES_KEPT_MS: Final = 2 * 86_400_000
"""How long a code leads to its order: longer than any order waits for its payment."""
RACES_MAX: Final = 5
"""How often a batch is begun anew because others wrote what it was about to."""
TICKETS: Final = 100
"""Two digits: a queue is shorter."""


class OrderDesk:
    """Opens orders in batches."""

    def __init__(
        self, engine: AsyncEngine, answers: AnswerStore, config: ApiConfig, price_id: str
    ) -> None:
        self._engine = engine
        self._answers = answers
        self._config = config
        self._price_id = price_id

    async def open_orders(
        self, requests: Sequence[NewOrder], now_ms: int
    ) -> list[Reply | Exception]:
        """Open a batch; each answer shows an order, or is why there is none."""

        async def work(connection: AsyncConnection) -> list[Reply | Exception]:
            return await self._open(connection, requests, now_ms)

        for _ in range(RACES_MAX):
            # Another worker may write one of the keys between our look and our write: then it is
            # found the next time, and another one may be met.
            with contextlib.suppress(IntegrityError):
                return await in_transaction(self._engine, work)
        return await in_transaction(self._engine, work)

    async def forget(self, now_ms: int) -> None:
        """Drop codes of orders long over."""
        oldest = str(ULID.from_timestamp(now_ms - CODES_KEPT_MS))
        async with self._engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM claims WHERE kind = 'code' AND ref_id < :oldest"),
                {"oldest": oldest},
            )

    async def _open(
        self, connection: AsyncConnection, requests: Sequence[NewOrder], now_ms: int
    ) -> list[Reply | Exception]:
        kept = await self._answers.find(connection, [request.once for request in requests])
        fresh = [request for request in requests if request.once.name not in kept]
        drawn: dict[tuple[str, str], Reply | ApiFault] = {}
        if fresh:
            drawn = await self._open_fresh(connection, fresh, now_ms)
            tokens = {request.once.name: request.once for request in fresh}
            pairs = [(tokens[name], answer) for name, answer in drawn.items()]
            await self._answers.keep(connection, pairs)
        return [
            drawn[name]
            if (name := request.once.name) in drawn
            else self._answers.again(request.once, kept[name])
            for request in requests
        ]

    async def _open_fresh(
        self, connection: AsyncConnection, requests: Sequence[NewOrder], now_ms: int
    ) -> dict[tuple[str, str], Reply | ApiFault]:
        """Open orders that nobody has asked for before; give the answers by their keys."""
        config, expires_ms = self._config, now_ms + self._config.order_ttl_s * 1_000
        terms = Terms(config.litre_price_sen, now_ms, expires_ms)
        wanted = {(r.merchant_id, product_id) for r in requests for product_id, _ in r.items}
        sellers = await find_sellers(connection, sorted(wanted))
        shelves = await open_shelves(connection, expires_ms)
        returned = await open_returned(connection, sorted(sellers), expires_ms)
        drawn = {
            r.once.name: draw_up(
                r, sellers[r.merchant_id], shelves, terms, returned.get(r.merchant_id, ())
            )
            for r in requests
        }
        opened = [(r, order) for r in requests if isinstance(order := drawn[r.once.name], Order)]
        orders = await self._write(connection, opened, shelves, now_ms)
        return {
            name: fault if isinstance(fault, ApiFault) else _opened(orders[name], config)
            for name, fault in drawn.items()
        }

    async def _write(
        self,
        connection: AsyncConnection,
        drawn: Sequence[tuple[NewOrder, Order]],
        shelves: Sequence[Shelf],
        now_ms: int,
    ) -> dict[tuple[str, str], Order]:
        """Write the orders that were drawn up, their tickets numbered; give them by their keys."""
        if not drawn:
            return {}
        await reserve(connection, shelves)
        await take_packs(connection, [order for _, order in drawn])
        counts = Counter(request.merchant_id for request, _ in drawn)
        numbers = await draw_numbers(connection, counts, counts)
        left, orders = Counter(counts), {}
        for request, order in drawn:
            left[request.merchant_id] -= 1
            ticket = numbers[request.merchant_id].tickets - left[request.merchant_id]
            shown = f"{request.letter}-{ticket % TICKETS:02d}"
            orders[request.once.name] = replace(order, ticket=shown)
        await insert_orders(connection, list(orders.values()), self._price_id)
        traces = {request.once.name: request.trace for request, _ in drawn}
        events = [
            NewEvent(
                CREATED, order.merchant_id, order.id, told_of(order), now_ms, None, traces[name]
            )
            for name, order in orders.items()
        ]
        await insert_events(connection, events, numbers)
        return orders


def _opened(order: Order, config: ApiConfig) -> Reply:
    location = {"Location": f"/api/v1/orders/{order.id}"}
    return Reply(order_view(order, config), HTTPStatus.CREATED, location)
