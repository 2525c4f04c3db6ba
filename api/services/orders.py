"""Orders: opened in batches with their price locked, read, and expired.

One batch is one transaction: it locks the shelves, draws references, writes orders, quotes,
idempotency keys and events. A key that was answered before gets the same order again; the same
key over another body is refused.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from ulid import ULID

from api.amounts import format_time, units_for
from api.config import ApiConfig, ProductConfig
from api.db.models import IntentState, OrderState
from api.errors import Conflict, Unprocessable
from api.services.outbox import CARD_COLUMNS, NewEvent, card, write_events
from api.services.stock import Shelf, adjust, open_shelves, released_by, reserve, take
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import Address, format_address
from ledger.types.transfer import REFERENCE_BYTES

KEYS_KEPT_MS: Final = 7 * 86_400_000
EXPIRY_BATCH: Final = 500

ORDER_COLUMNS: Final = f"""{CARD_COLUMNS}, i.reference, i.redeem_lot, i.redeem_units, i.payout,
    i.state AS intent_state, m.name AS merchant"""
_FROM: Final = """FROM orders o JOIN payment_intents i ON i.order_id = o.id
    JOIN merchants m ON m.id = o.merchant_id"""


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order to open; `fingerprint` is the digest of the body that asked for it."""

    merchant_id: str
    product: ProductConfig
    quantity: int
    key: str
    fingerprint: bytes


def order_json(row: Mapping[str, Any], config: ApiConfig) -> dict[str, object]:
    """Present an order to its merchant: the card, and what it is paid by."""
    return {
        **card(row),
        "merchant": row["merchant"],
        "reference": row["reference"].hex(),
        "redeem": {
            "lot": row["redeem_lot"].hex(),
            "bill": format_bill(Units(row["redeem_units"])),
        },
        "payTo": format_address(Address(row["payout"]), config.prefix),
        "payUrl": config.pay_url(row["id"]),
        "intent": {"state": row["intent_state"], "expiresAt": format_time(row["expires_ms"])},
    }


class OrderDesk:
    """Opens orders in batches, and expires those that were not paid."""

    def __init__(self, engine: AsyncEngine, config: ApiConfig, price_id: str) -> None:
        self._engine = engine
        self._config = config
        self._price_id = price_id

    async def open_orders(
        self, requests: Sequence[NewOrder], now_ms: int
    ) -> list[dict[str, Any] | Exception]:
        """Open a batch; each answer is an order's row of `ORDER_COLUMNS`, or why there is none."""
        try:
            return await self._open(requests, now_ms)
        except IntegrityError:
            # Another worker wrote one of the keys between our look and our write: now it is found.
            return await self._open(requests, now_ms)

    async def _open(
        self, requests: Sequence[NewOrder], now_ms: int
    ) -> list[dict[str, Any] | Exception]:
        async with self._engine.begin() as connection:
            answered = await _answered(connection, requests)
            fresh = [r for r in requests if (r.merchant_id, r.key) not in answered]
            expires_ms = now_ms + self._config.order_ttl_s * 1_000
            shelves = await open_shelves(connection, expires_ms) if fresh else []
            drawn = {id(r): self._draw(r, shelves, now_ms, expires_ms) for r in fresh}
            rows = [row for row in drawn.values() if row is not None]
            if rows:
                await _insert(connection, rows)
                await reserve(connection, shelves)
                await write_events(connection, [_created(row, now_ms) for row in rows])
            ids = [order_id for order_id, _ in answered.values()] + [row["id"] for row in rows]
            stored = await read_orders(connection, ids)
        answers: list[dict[str, Any] | Exception] = []
        for request in requests:
            before = answered.get((request.merchant_id, request.key))
            row = drawn.get(id(request))
            if before is not None and before[1] != request.fingerprint:
                answers.append(
                    Unprocessable(
                        "this Idempotency-Key was used with another body",
                        code="IDEMPOTENCY_KEY_REUSED",
                    )
                )
            elif before is not None:
                answers.append(stored[before[0]])
            elif row is None:
                answers.append(
                    Conflict("no lot in date holds that much of this milk", code="OUT_OF_STOCK")
                )
            else:
                answers.append(stored[row["id"]])
        return answers

    def _draw(
        self, request: NewOrder, shelves: Sequence[Shelf], now_ms: int, expires_ms: int
    ) -> dict[str, Any] | None:
        """Draw up an order: price, reference and lot; None when no lot holds enough."""
        redeem_units = request.product.redeem_units * request.quantity
        lot = take(shelves, request.product.kind, redeem_units)
        if lot is None:
            return None
        amount_sen = request.product.price_sen * request.quantity
        return {
            # By the service's clock: the newest order is the last by its id, whatever NTP does.
            "id": str(ULID.from_timestamp(now_ms)),
            "intent_id": str(ULID.from_timestamp(now_ms)),
            "merchant_id": request.merchant_id,
            "product_id": request.product.id,
            "price_id": self._price_id,
            "quantity": request.quantity,
            "amount_sen": amount_sen,
            "amount_units": units_for(amount_sen, self._config.litre_price_sen),
            "state": OrderState.AWAITING_PAYMENT,
            "intent_state": IntentState.REQUIRES_PAYMENT,
            "exception": None,
            "delta_units": None,
            "paid_ms": None,
            "reference": secrets.token_bytes(REFERENCE_BYTES),
            "redeem_lot": lot,
            "redeem_units": redeem_units,
            "created_ms": now_ms,
            "expires_ms": expires_ms,
            "key": request.key,
            "fingerprint": request.fingerprint,
        }

    async def expire_orders(self, before_ms: int, now_ms: int) -> int:
        """Expire open orders whose time ended before `before_ms`; give how many there were."""
        async with self._engine.begin() as connection:
            rows = [
                dict(row)
                for row in (
                    await connection.execute(
                        text(f"""
                            SELECT {CARD_COLUMNS}, i.redeem_lot, i.redeem_units
                            FROM orders o JOIN payment_intents i ON i.order_id = o.id
                            WHERE o.state = 'awaiting_payment' AND o.expires_ms < :before
                            ORDER BY o.id LIMIT {EXPIRY_BATCH} FOR NO KEY UPDATE OF o
                        """),  # noqa: S608 - constants of this package
                        {"before": before_ms},
                    )
                ).mappings()
            ]
            if rows:
                ids = [{"id": row["id"]} for row in rows]
                await connection.execute(
                    text("UPDATE orders SET state = 'expired' WHERE id = :id"), ids
                )
                await connection.execute(
                    text("UPDATE payment_intents SET state = 'expired' WHERE order_id = :id"), ids
                )
                await adjust(connection, released_by(rows), {})
                await write_events(connection, [_expired(row, now_ms) for row in rows])
        return len(rows)

    async def forget_keys(self, now_ms: int) -> None:
        """Drop idempotency keys past their seven days."""
        async with self._engine.begin() as connection:
            await connection.execute(
                text("DELETE FROM idempotency_keys WHERE created_ms < :before"),
                {"before": now_ms - KEYS_KEPT_MS},
            )


def _created(row: Mapping[str, Any], now_ms: int) -> NewEvent:
    return NewEvent("order.created", row["merchant_id"], row["id"], card(row), now_ms)


def _expired(row: Mapping[str, Any], now_ms: int) -> NewEvent:
    body = card(row, state=OrderState.EXPIRED)
    return NewEvent("order.expired", row["merchant_id"], row["id"], body, now_ms)


async def _answered(
    connection: AsyncConnection, requests: Sequence[NewOrder]
) -> dict[tuple[str, str], tuple[str, bytes]]:
    """Find the keys that have an answer: (merchant, key) -> (order, fingerprint)."""
    rows = await connection.execute(
        text("""
            SELECT k.merchant_id, k.key, k.order_id, k.fingerprint FROM idempotency_keys k
            JOIN unnest(CAST(:merchants AS text[]), CAST(:keys AS text[])) AS r(merchant_id, key)
                ON r.merchant_id = k.merchant_id AND r.key = k.key
        """),
        {
            "merchants": [request.merchant_id for request in requests],
            "keys": [request.key for request in requests],
        },
    )
    return {(row.merchant_id, row.key): (row.order_id, row.fingerprint) for row in rows}


async def _insert(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    await connection.execute(
        text("""
            INSERT INTO orders (id, merchant_id, product_id, price_id, quantity, amount_sen, state,
                created_ms, expires_ms)
            VALUES (:id, :merchant_id, :product_id, :price_id, :quantity, :amount_sen, :state,
                :created_ms, :expires_ms)
        """),
        [_only(row, _ORDER_FIELDS) for row in rows],
    )
    await connection.execute(
        text("""
            INSERT INTO payment_intents (id, order_id, reference, state, amount_sen, amount_units,
                redeem_lot, redeem_units, payout)
            VALUES (:intent_id, :id, :reference, :intent_state, :amount_sen, :amount_units,
                :redeem_lot, :redeem_units, (SELECT payout FROM merchants WHERE id = :merchant_id))
        """),
        [_only(row, _INTENT_FIELDS) for row in rows],
    )
    await connection.execute(
        text("""
            INSERT INTO idempotency_keys (merchant_id, key, fingerprint, order_id, created_ms)
            VALUES (:merchant_id, :key, :fingerprint, :id, :created_ms)
        """),
        [_only(row, _KEY_FIELDS) for row in rows],
    )


_ORDER_FIELDS: Final = (
    "id", "merchant_id", "product_id", "price_id", "quantity", "amount_sen", "state",
    "created_ms", "expires_ms",
)  # fmt: skip
_INTENT_FIELDS: Final = (
    "intent_id", "id", "reference", "intent_state", "amount_sen", "amount_units", "redeem_lot",
    "redeem_units", "merchant_id",
)  # fmt: skip
_KEY_FIELDS: Final = ("merchant_id", "key", "fingerprint", "id", "created_ms")


def _only(row: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    return {field: row[field] for field in fields}


async def read_orders(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read orders by id, as rows of `ORDER_COLUMNS`."""
    rows = await connection.execute(
        text(f"SELECT {ORDER_COLUMNS} {_FROM} WHERE o.id = ANY(CAST(:ids AS text[]))"),
        {"ids": list(ids)},
    )
    return {row["id"]: dict(row) for row in rows.mappings()}


async def newest_orders(connection: AsyncConnection, limit: int) -> list[dict[str, Any]]:
    """List the newest orders, newest first."""
    rows = await connection.execute(
        text(f"SELECT {ORDER_COLUMNS} {_FROM} ORDER BY o.id DESC LIMIT :limit"),
        {"limit": limit},
    )
    return [dict(row) for row in rows.mappings()]
