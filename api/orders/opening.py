"""Opening orders, in batches: price locked, reference and code drawn, milk reserved.

One batch is one transaction: it locks the shelves, writes orders, claims, idempotency keys and
events. A key that was answered before gets the same order again; the same key over another body is
refused.
"""

import contextlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.catalogue.shelves import Shelf
from api.catalogue.stock import open_shelves, reserve
from api.config import ApiConfig
from api.db.session import in_transaction
from api.errors import Unprocessable
from api.events.outbox import NewEvent, draw_numbers, insert_events
from api.orders.drawing import DrawnOrder, NewOrder, Terms, draw_up
from api.orders.model import Order
from api.orders.opening_store import insert_orders, look_up
from api.orders.schemas import told_of
from api.orders.store import read_orders

KEYS_KEPT_MS: Final = 7 * 86_400_000
CODES_KEPT_MS: Final = 2 * 86_400_000
"""How long a code leads to its order: longer than any order waits for its payment."""
RACES_MAX: Final = 5
"""How often a batch is begun anew because others wrote what it was about to."""
TICKETS: Final = 100
"""Two digits: a queue is shorter."""


class OrderDesk:
    """Opens orders in batches."""

    def __init__(self, engine: AsyncEngine, config: ApiConfig, price_id: str) -> None:
        self._engine = engine
        self._config = config
        self._price_id = price_id

    async def open_orders(
        self, requests: Sequence[NewOrder], now_ms: int
    ) -> list[Order | Exception]:
        """Open a batch; each answer is an order, or why there is none."""

        async def work(connection: AsyncConnection) -> list[Order | Exception]:
            return await self._open(connection, requests, now_ms)

        for _ in range(RACES_MAX):
            # Another worker may write one of the keys between our look and our write: then it is
            # found the next time, and another one may be met.
            with contextlib.suppress(IntegrityError):
                return await in_transaction(self._engine, work)
        return await in_transaction(self._engine, work)

    async def forget(self, now_ms: int) -> None:
        """Drop idempotency keys past their seven days, and codes of orders long over."""
        oldest = str(ULID.from_timestamp(now_ms - CODES_KEPT_MS))
        async with self._engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM idempotency_keys WHERE created_ms < :before"),
                {"before": now_ms - KEYS_KEPT_MS},
            )
            await connection.execute(
                text("DELETE FROM claims WHERE kind = 'code' AND ref_id < :oldest"),
                {"oldest": oldest},
            )

    async def _open(
        self, connection: AsyncConnection, requests: Sequence[NewOrder], now_ms: int
    ) -> list[Order | Exception]:
        asked = await look_up(connection, requests)
        fresh = [r for r in requests if asked[(r.merchant_id, r.key)].order_id is None]
        drawn: dict[tuple[str, str], DrawnOrder] = {}
        if fresh:
            config, expires_ms = self._config, now_ms + self._config.order_ttl_s * 1_000
            terms = Terms(config.litre_price_sen, now_ms, expires_ms)
            shelves = await open_shelves(connection, expires_ms)
            for request in fresh:
                token = (request.merchant_id, request.key)
                drawn[token] = draw_up(request, asked[token], shelves, terms)
            await self._write(connection, fresh, drawn, shelves, now_ms)
        known = [one.order_id for one in asked.values() if one.order_id is not None]
        stored = await read_orders(connection, known) if known else {}
        answers: list[Order | Exception] = []
        for request in requests:
            token = (request.merchant_id, request.key)
            before = asked[token]
            if before.order_id is None:
                answers.append(drawn[token])
            elif before.fingerprint != request.fingerprint:
                answers.append(
                    Unprocessable(
                        "this Idempotency-Key was used with another body",
                        code="IDEMPOTENCY_KEY_REUSED",
                    )
                )
            else:
                answers.append(stored[before.order_id])
        return answers

    async def _write(
        self,
        connection: AsyncConnection,
        requests: Sequence[NewOrder],
        drawn: dict[tuple[str, str], DrawnOrder],
        shelves: Sequence[Shelf],
        now_ms: int,
    ) -> None:
        """Write the orders that were drawn up, their tickets numbered."""
        opened = [r for r in requests if isinstance(drawn[(r.merchant_id, r.key)], Order)]
        if not opened:
            return
        await reserve(connection, shelves)
        counts = Counter(request.merchant_id for request in opened)
        numbers = await draw_numbers(connection, counts, counts)
        left, orders = Counter(counts), []
        for request in opened:
            place = (request.merchant_id, request.key)
            left[request.merchant_id] -= 1
            ticket = numbers[request.merchant_id].tickets - left[request.merchant_id]
            order = drawn[place]
            assert isinstance(order, Order), "chosen above"
            drawn[place] = order = replace(order, ticket=f"{request.letter}-{ticket % TICKETS:02d}")
            orders.append(order)
        await insert_orders(connection, orders, opened, self._price_id)
        events = [
            NewEvent("order.created", order.merchant_id, order.id, told_of(order), now_ms)
            for order in orders
        ]
        await insert_events(connection, events, numbers)
