"""Products in the database: a merchant's own rows before those that all merchants share.

Who changes a merchant's products locks the merchant's row first, so two changes follow each other.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from api.catalogue.model import SHARED, ShopProduct
from api.db.statements import text
from ledger.primitives.amounts import UNITS_PER_BILL

_COLUMNS: Final = "merchant_id, id, name_en, name_ms, kind, price_sen, redeem_units, active"


_LIST: Final = f"""
    SELECT * FROM (
        SELECT DISTINCT ON (id) {_COLUMNS} FROM products
        WHERE merchant_id IN ('', :merchant)
        ORDER BY id, merchant_id DESC
    ) AS shown
    WHERE (active AND price_sen * CAST(:bill AS bigint)
            > (redeem_units - 1) * CAST(:litre_sen AS bigint)) = :active
        AND kind = coalesce(CAST(:kind AS text), kind)
        AND (kind, redeem_units, id) > (:after_kind, CAST(:after_units AS bigint), :after_id)
    ORDER BY kind, redeem_units, id LIMIT :limit
"""  # noqa: S608 - a constant of this module


def read_product(row: Any) -> ShopProduct:
    """Read a row of all columns."""
    return ShopProduct(
        merchant_id=row.merchant_id,
        id=row.id,
        name_en=row.name_en,
        name_ms=row.name_ms,
        kind=row.kind,
        price_sen=row.price_sen,
        redeem_units=row.redeem_units,
        active=row.active,
    )


async def lock_shop(connection: AsyncConnection, merchant_id: str) -> None:
    """Let nobody else change a merchant's products until the transaction ends."""
    await connection.execute(
        text("SELECT id FROM merchants WHERE id = :id FOR NO KEY UPDATE"), {"id": merchant_id}
    )


async def find_product(
    connection: AsyncConnection, merchant_id: str, product_id: str
) -> ShopProduct | None:
    """Find what a merchant sells, or sold, under an id."""
    rows = await connection.execute(
        text(f"""
            SELECT {_COLUMNS} FROM products
            WHERE merchant_id IN ('', :merchant) AND id = :id ORDER BY merchant_id DESC LIMIT 1
        """),  # noqa: S608 - a constant of this module
        {"merchant": merchant_id, "id": product_id},
    )
    row = rows.first()
    return None if row is None else read_product(row)


async def list_products(
    connection: AsyncConnection,
    merchant_id: str,
    *,
    kind: str | None,
    active: bool,
    litre_price_sen: int,
    after: tuple[str, int, str] | None,
    limit: int,
) -> list[ShopProduct]:
    """List by kind and size what a merchant sells, or has paused; of no merchant, what all sell.

    What costs less than its milk, as `ShopProduct.covers` tells, is paused.
    """
    after_kind, after_units, after_id = after or ("", 0, "")
    rows = await connection.execute(
        text(_LIST),
        {
            "merchant": merchant_id,
            "after_kind": after_kind,
            "after_units": after_units,
            "after_id": after_id,
            "active": active,
            "bill": UNITS_PER_BILL,
            "litre_sen": litre_price_sen,
            "kind": kind,
            "limit": limit,
        },
    )
    return [read_product(row) for row in rows]


async def count_products(connection: AsyncConnection, merchant_id: str) -> int:
    """Count a merchant's own products."""
    found = await connection.scalar(
        text("SELECT count(*) FROM products WHERE merchant_id = :merchant"),
        {"merchant": merchant_id},
    )
    return int(found or 0)


async def store_product(connection: AsyncConnection, product: ShopProduct) -> None:
    """Write a product, new or anew."""
    await connection.execute(
        text(f"""
            INSERT INTO products ({_COLUMNS}) VALUES (:merchant_id, :id, :name_en, :name_ms, :kind,
                :price_sen, :redeem_units, :active)
            ON CONFLICT (merchant_id, id) DO UPDATE SET name_en = :name_en, name_ms = :name_ms,
                kind = :kind, price_sen = :price_sen, redeem_units = :redeem_units,
                active = :active
        """),  # noqa: S608 - a constant of this module
        {
            "merchant_id": product.merchant_id,
            "id": product.id,
            "name_en": product.name_en,
            "name_ms": product.name_ms,
            "kind": product.kind,
            "price_sen": product.price_sen,
            "redeem_units": product.redeem_units,
            "active": product.active,
        },
    )


async def replace_shared(connection: AsyncConnection, products: Iterable[ShopProduct]) -> None:
    """Let all merchants sell these, and nothing else that they have not of their own.

    Rows are never deleted: one that is no longer shared is paused.
    """
    await connection.execute(
        text("UPDATE products SET active = false WHERE merchant_id = :shared"), {"shared": SHARED}
    )
    for product in products:
        await store_product(connection, product)
