"""Orders written as they are opened, many at once.

Hand-written SQL, since each order that is sold goes through it: a batch costs the database one
statement, whatever its size.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from api.catalogue.store import read_product
from api.db.statements import text
from api.orders.drawing import SALE, Seller
from api.orders.model import Order, OrderState
from ledger.primitives.keys import Address


async def find_sellers(
    connection: AsyncConnection, wanted: Sequence[tuple[str, str]]
) -> dict[str, Seller]:
    """Find merchants, and what they sell of the products that are wanted of them.

    A merchant's own row of a product comes after the one that all share, and so stands.
    """
    rows = await connection.execute(
        text("""
            SELECT m.id AS shop, m.name, m.payout, p.merchant_id, p.id, p.name_en, p.name_ms,
                p.kind, p.price_sen, p.redeem_units, p.active
            FROM unnest(CAST(:merchants AS text[]), CAST(:products AS text[]))
                AS w(merchant_id, product_id)
            JOIN merchants m ON m.id = w.merchant_id
            LEFT JOIN products p ON p.merchant_id IN ('', m.id) AND p.id = w.product_id
            ORDER BY p.merchant_id NULLS FIRST
        """),
        {"merchants": [one for one, _ in wanted], "products": [one for _, one in wanted]},
    )
    sellers: dict[str, Seller] = {}
    for row in rows:
        seller = sellers.setdefault(row.shop, Seller(row.name, Address(row.payout), {}))
        if row.id is not None:
            seller.products[row.id] = read_product(row)
    return {
        shop: replace(
            seller, products={key: one for key, one in seller.products.items() if one.active}
        )
        for shop, seller in sellers.items()
    }


async def insert_orders(
    connection: AsyncConnection,
    orders: Sequence[Order],
    price_id: str,
) -> None:
    """Write orders and what they claim, in one statement."""
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
            "returned": [_json(order.returned) for order in orders],
            "codes": [order.code for order in orders],
            "tickets": [order.ticket for order in orders],
            "metadata": [_json(order.metadata) for order in orders],
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
            CAST(:baskets AS text[]), CAST(:offered AS text[]), CAST(:returned AS text[]),
            CAST(:codes AS text[]), CAST(:tickets AS text[]), CAST(:metadata AS text[])
        ) AS n(id, merchant_id, items, sen, units, redeem, reference, payout, basket,
            offered, returned, code, ticket, metadata)
    ), claimed AS (
        INSERT INTO claims (kind, value, merchant_id, subject, ref_id)
        SELECT 'reference', reference, merchant_id, 'order', id FROM n
        UNION ALL
        SELECT 'code', convert_to(code, 'UTF8'), merchant_id, 'order', id FROM n
    )
    INSERT INTO orders (id, merchant_id, kind, price_id, items, amount_sen, amount_units,
        redeem_units, reference, payout, basket, offered, returned, code, ticket, metadata, state,
        created_ms, expires_ms)
    SELECT id, merchant_id, :kind, :price_id, items::jsonb, sen, units, redeem, reference,
        payout, basket::jsonb, offered::jsonb, returned::jsonb, code, ticket, metadata::jsonb,
        :state, :created_ms, :expires_ms FROM n
"""
