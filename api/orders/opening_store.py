"""Orders written as they are opened: found by idempotency key, and inserted, many at once.

Hand-written SQL, since each order that is sold goes through it: a batch costs the database one
statement, whatever its size.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.orders.drawing import SALE, AskedOrder, NewOrder
from api.orders.model import Order, OrderState
from ledger.primitives.keys import Address


async def look_up(
    connection: AsyncConnection, requests: Sequence[NewOrder]
) -> dict[tuple[str, str], AskedOrder]:
    """Find who asks, and which keys have an answer, by (merchant, key)."""
    rows = await connection.execute(
        text("""
            SELECT r.merchant_id, r.key, m.name, m.payout, k.order_id, k.fingerprint
            FROM unnest(CAST(:merchants AS text[]), CAST(:keys AS text[])) AS r(merchant_id, key)
            JOIN merchants m ON m.id = r.merchant_id
            LEFT JOIN idempotency_keys k ON k.merchant_id = r.merchant_id AND k.key = r.key
        """),
        {
            "merchants": [request.merchant_id for request in requests],
            "keys": [request.key for request in requests],
        },
    )
    return {
        (row.merchant_id, row.key): AskedOrder(
            row.name, Address(row.payout), row.order_id, row.fingerprint
        )
        for row in rows
    }


async def insert_orders(
    connection: AsyncConnection,
    orders: Sequence[Order],
    requests: Sequence[NewOrder],
    price_id: str,
) -> None:
    """Write orders, what they claim and the keys that asked for them, in one statement."""
    await connection.execute(
        text(_INSERT),
        {
            "ids": [order.id for order in orders],
            "merchants": [order.merchant_id for order in orders],
            "items": [_json(order.items) for order in orders],
            "sen": [order.amount_sen for order in orders],
            "units": [order.amount_units for order in orders],
            "redeem": [order.redeem_units for order in orders],
            "references": [order.reference for order in orders],
            "payouts": [order.payout for order in orders],
            "baskets": [_json(order.basket) for order in orders],
            "offered": [_json(order.offered) for order in orders],
            "codes": [order.code for order in orders],
            "tickets": [order.ticket for order in orders],
            "metadata": [_json(order.metadata) for order in orders],
            "keys": [request.key for request in requests],
            "fingerprints": [request.fingerprint for request in requests],
            "kind": SALE,
            "price_id": price_id,
            "state": OrderState.AWAITING_PAYMENT,
            "created_ms": orders[0].created_ms,
            "expires_ms": orders[0].expires_ms,
        },
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


_INSERT: Final = """
    WITH n AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:ids AS text[]), CAST(:merchants AS text[]), CAST(:items AS text[]),
            CAST(:sen AS bigint[]), CAST(:units AS bigint[]), CAST(:redeem AS bigint[]),
            CAST(:references AS bytea[]), CAST(:payouts AS bytea[]),
            CAST(:baskets AS text[]), CAST(:offered AS text[]), CAST(:codes AS text[]),
            CAST(:tickets AS text[]), CAST(:metadata AS text[]), CAST(:keys AS text[]),
            CAST(:fingerprints AS bytea[])
        ) AS n(id, merchant_id, items, sen, units, redeem, reference, payout, basket,
            offered, code, ticket, metadata, key, fingerprint)
    ), claimed AS (
        INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
        SELECT 'reference', reference, merchant_id, 'order', id FROM n
        UNION ALL
        SELECT 'code', convert_to(code, 'UTF8'), merchant_id, 'order', id FROM n
    ), kept AS (
        INSERT INTO idempotency_keys (merchant_id, key, fingerprint, order_id, created_ms)
        SELECT merchant_id, key, fingerprint, id, :created_ms FROM n
    )
    INSERT INTO orders (id, merchant_id, kind, price_id, items, amount_sen, amount_units,
        redeem_units, reference, payout, basket, offered, code, ticket, metadata, state,
        created_ms, expires_ms)
    SELECT id, merchant_id, :kind, :price_id, items::jsonb, sen, units, redeem, reference,
        payout, basket::jsonb, offered::jsonb, code, ticket, metadata::jsonb, :state,
        :created_ms, :expires_ms FROM n
"""
