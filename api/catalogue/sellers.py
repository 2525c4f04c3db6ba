"""What is sold, at which price, and by whom: written at start-up from the configuration.

Rows are never deleted: an order keeps the price and product that it was made under. Workers that
start together write one after another: each finds what the one before has written.
"""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.access.roles import ALL_SCOPES
from api.catalogue.store import replace_shared
from api.config import ApiConfig
from api.keys.store import admit_configured
from api.tenants.config import MerchantConfig, UnionConfig
from api.tenants.model import Union
from api.tenants.store import add_union, change_union, union_named
from ledger.primitives.keys import parse_address

PUBLISH_LOCK: Final = 0x62696C6C03


async def publish(connection: AsyncConnection, config: ApiConfig, now_ms: int) -> str:
    """Write products, price and merchants of the configuration; give the current price's id."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": PUBLISH_LOCK})
    await replace_shared(connection, [one.shared() for one in config.products])
    unions = {
        union.name: await keep_union(connection, union, config.prefix, now_ms)
        for union in config.unions
    }
    for merchant in config.merchants:
        union_id = unions[merchant.union or config.unions[0].name]
        merchant_id = await keep_merchant(connection, union_id, merchant, config.prefix, now_ms)
        for digest in merchant.key_digests:
            await admit_configured(
                connection, merchant_id, bytes.fromhex(digest), ALL_SCOPES, now_ms
            )
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


async def keep_union(
    connection: AsyncConnection, union: UnionConfig, prefix: str, now_ms: int
) -> str:
    """Give a union's id, after making it. One that is there keeps its contact and its account."""
    found = await union_named(connection, union.name)
    if found is not None:
        return found.id
    begun = Union(id=str(ULID()), **union.model_dump(exclude={"float_address"}))
    await add_union(connection, begun, now_ms)
    if union.float_address:
        pays = parse_address(union.float_address, prefix)
        await change_union(connection, begun.id, {"float_account": pays})
    return begun.id


async def keep_merchant(
    connection: AsyncConnection, union_id: str, merchant: MerchantConfig, prefix: str, now_ms: int
) -> str:
    """Give a merchant's id, after making it.

    One that is there keeps its accounts: two people change those (`api.tenants.desk`), and never
    whoever can write a file. It keeps its time zone, which its office changes; its hours are the
    configuration's, and stay with it under another name.
    """
    operating = merchant.operating_address
    found = await connection.scalar(
        text("""
            INSERT INTO merchants (id, union_id, name, payout, operating, time_zone, opens, closes,
                created_ms)
            VALUES (:id, :union_id, :name, :payout, CAST(:operating AS bytea), :time_zone, :opens,
                :closes, :now)
            ON CONFLICT (name) DO UPDATE SET opens = EXCLUDED.opens, closes = EXCLUDED.closes
            RETURNING id
        """),
        {
            "id": str(ULID()),
            "union_id": union_id,
            "name": merchant.name,
            "payout": parse_address(merchant.payout_address, prefix),
            "operating": parse_address(operating, prefix) if operating else None,
            "time_zone": merchant.time_zone,
            "opens": merchant.opens,
            "closes": merchant.closes,
            "now": now_ms,
        },
    )
    return str(found)


async def find_merchant(connection: AsyncConnection, name: str) -> str | None:
    """Give the id of the merchant of this name."""
    found = await connection.scalar(
        text("SELECT id FROM merchants WHERE name = :name"), {"name": name}
    )
    return None if found is None else str(found)
