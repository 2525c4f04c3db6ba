"""What is sold, at which price, and by whom: written at start-up from the configuration.

Rows are never deleted: an order keeps the price and product that it was made under.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.access.roles import ALL_SCOPES
from api.config import ApiConfig
from ledger.primitives.keys import Address, parse_address


async def publish(connection: AsyncConnection, config: ApiConfig, now_ms: int) -> str:
    """Write products, price and merchants of the configuration; give the current price's id."""
    await connection.execute(text("UPDATE products SET active = false"))
    for product in config.products:
        await connection.execute(
            text("""
                INSERT INTO products (id, name_en, name_ms, kind, price_sen, redeem_units, active)
                VALUES (:id, :name_en, :name_ms, :kind, :price_sen, :redeem_units, true)
                ON CONFLICT (id) DO UPDATE SET name_en = :name_en, name_ms = :name_ms,
                    kind = :kind, price_sen = :price_sen, redeem_units = :redeem_units,
                    active = true
            """),
            product.model_dump(),
        )
    for merchant in config.merchants:
        payout = parse_address(merchant.payout_address, config.prefix)
        merchant_id = await keep_merchant(connection, merchant.name, payout, now_ms)
        for digest in merchant.key_digests:
            await add_key(connection, merchant_id, bytes.fromhex(digest), now_ms)
    return await _keep_price(connection, config.litre_price_sen, now_ms)


async def _keep_price(connection: AsyncConnection, litre_sen: int, now_ms: int) -> str:
    """Give the newest price's id, after writing a new one if it has changed."""
    newest = (
        await connection.execute(
            text("SELECT id, litre_sen FROM prices ORDER BY from_ms DESC, id DESC LIMIT 1")
        )
    ).first()
    if newest is not None and newest.litre_sen == litre_sen:
        return str(newest.id)
    price_id = str(ULID())
    await connection.execute(
        text("INSERT INTO prices (id, litre_sen, from_ms) VALUES (:id, :sen, :now)"),
        {"id": price_id, "sen": litre_sen, "now": now_ms},
    )
    return price_id


async def keep_merchant(
    connection: AsyncConnection, name: str, payout: Address, now_ms: int
) -> str:
    """Give a merchant's id, after making it or renewing its account."""
    found = await connection.scalar(
        text("""
            INSERT INTO merchants (id, name, payout, created_ms)
            VALUES (:id, :name, :payout, :now)
            ON CONFLICT (name) DO UPDATE SET payout = EXCLUDED.payout RETURNING id
        """),
        {"id": str(ULID()), "name": name, "payout": payout, "now": now_ms},
    )
    return str(found)


async def add_key(
    connection: AsyncConnection, merchant_id: str, digest: bytes, now_ms: int
) -> None:
    """Admit a key with every scope; admitting it twice changes nothing."""
    await connection.execute(
        text("""
            INSERT INTO api_keys (digest, merchant_id, scopes, created_ms)
            VALUES (:digest, :merchant_id, :scopes, :now) ON CONFLICT (digest) DO NOTHING
        """),
        {
            "digest": digest,
            "merchant_id": merchant_id,
            "scopes": list(ALL_SCOPES),
            "now": now_ms,
        },
    )


async def find_merchant(connection: AsyncConnection, name: str) -> str | None:
    """Give the id of the merchant of this name."""
    found = await connection.scalar(
        text("SELECT id FROM merchants WHERE name = :name"), {"name": name}
    )
    return None if found is None else str(found)
