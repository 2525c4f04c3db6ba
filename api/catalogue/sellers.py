"""What is sold, at which price, and by whom: written at start-up from the configuration.

Rows are never deleted: an order keeps the price and product that it was made under. Workers that
start together write one after another: each finds what the one before has written.
"""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection
from ulid import ULID

from api.access.roles import ALL_SCOPES
from api.catalogue.store import replace_shared
from api.config import ApiConfig
from api.db.statements import text
from api.keys.store import admit_configured
from api.tenants.config import MerchantConfig, UnionConfig
from api.tenants.model import MerchantProfile, Union
from api.tenants.store import (
    add_merchant,
    add_union,
    change_merchant,
    change_union,
    merchant_known_as,
    union_known_as,
    union_named,
)
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
    """Give a union's id, after making it. One that is there keeps its contact and its account.

    It is known by what the configuration calls it, also under the name that its office gave it.
    """
    if (known := await union_known_as(connection, union.name)) is not None:
        return known.id
    if (found := await union_named(connection, union.name)) is not None:
        await change_union(connection, found.id, {"known_as": union.name})
        return found.id
    begun = Union(id=str(ULID()), **union.model_dump(exclude={"float_address"}))
    await add_union(connection, begun, now_ms)
    changes: dict[str, str | bytes] = {"known_as": union.name}
    if union.float_address:
        changes["float_account"] = parse_address(union.float_address, prefix)
    await change_union(connection, begun.id, changes)
    return begun.id


async def keep_merchant(
    connection: AsyncConnection, union_id: str, merchant: MerchantConfig, prefix: str, now_ms: int
) -> str:
    """Give a merchant's id, after making it.

    One that is there keeps its accounts: two people change those (`api.tenants.desk`), and never
    whoever can write a file. It keeps its name and its time zone, which its office changes; its
    hours are the configuration's. It is known by what the configuration calls it.
    """
    found = await merchant_known_as(connection, merchant.name)
    if found is None:
        found = await _find_named(connection, merchant.name)
    if found is None:
        operating = merchant.operating_address
        begun = MerchantProfile(
            id=str(ULID()),
            union_id=union_id,
            name=merchant.name,
            payout=parse_address(merchant.payout_address, prefix),
            operating=parse_address(operating, prefix) if operating else None,
            time_zone=merchant.time_zone,
            created_ms=now_ms,
        )
        await add_merchant(connection, begun)
        found = begun.id
    hours = {"opens": merchant.opens, "closes": merchant.closes}
    await change_merchant(connection, found, {"known_as": merchant.name, **hours})
    return found


async def find_merchant(connection: AsyncConnection, name: str) -> str | None:
    """Give the id of the merchant of this name, or else of that which was once configured so."""
    found = await _find_named(connection, name)
    return await merchant_known_as(connection, name) if found is None else found


async def _find_named(connection: AsyncConnection, name: str) -> str | None:
    found = await connection.scalar(
        text("SELECT id FROM merchants WHERE name = :name"), {"name": name}
    )
    return None if found is None else str(found)
