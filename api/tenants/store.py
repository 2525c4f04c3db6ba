"""Unions and merchants in the database: added, changed, found and listed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.tables.catalogue import merchants
from api.db.tables.tenants import unions
from api.tenants.model import MerchantProfile, Union

_CONTACT = ("name", "office", "telephone", "email", "hours", "developer_contact")


async def add_union(connection: AsyncConnection, union: Union, now_ms: int) -> None:
    """Write a new union."""
    contact = {name: getattr(union, name) for name in _CONTACT}
    await connection.execute(unions.insert().values(id=union.id, created_ms=now_ms, **contact))


async def change_union(
    connection: AsyncConnection, union_id: str, changes: Mapping[str, str | bytes]
) -> None:
    """Write some of a union's members anew."""
    await connection.execute(update(unions).where(unions.c.id == union_id).values(**changes))


async def find_union(connection: AsyncConnection, union_id: str) -> Union | None:
    """Read a union."""
    row = (await connection.execute(select(unions).where(unions.c.id == union_id))).first()
    return None if row is None else _union(row)


async def union_named(connection: AsyncConnection, name: str) -> Union | None:
    """Read the union of a name."""
    row = (await connection.execute(select(unions).where(unions.c.name == name))).first()
    return None if row is None else _union(row)


async def union_known_as(connection: AsyncConnection, name: str) -> Union | None:
    """Read the union that the configuration calls by a name, whatever it is named by now."""
    row = (await connection.execute(select(unions).where(unions.c.known_as == name))).first()
    return None if row is None else _union(row)


async def list_unions(connection: AsyncConnection, after: str, limit: int) -> Sequence[Union]:
    """Read unions by id."""
    query = select(unions).where(unions.c.id > after).order_by(unions.c.id).limit(limit)
    return [_union(row) for row in await connection.execute(query)]


def _union(row: Row[Any]) -> Union:
    return Union(id=row.id, **{name: getattr(row, name) for name in _CONTACT})


async def add_merchant(connection: AsyncConnection, merchant: MerchantProfile) -> None:
    """Write a new merchant."""
    names = ("id", "union_id", "name", "payout", "operating", "time_zone", "created_ms")
    fields = {name: getattr(merchant, name) for name in names}
    await connection.execute(merchants.insert().values(**fields))


async def change_merchant(
    connection: AsyncConnection, merchant_id: str, changes: dict[str, object]
) -> None:
    """Write some of a merchant's members anew."""
    at = merchants.c.id == merchant_id
    await connection.execute(update(merchants).where(at).values(**changes))


async def find_merchant(connection: AsyncConnection, merchant_id: str) -> MerchantProfile | None:
    """Read a merchant."""
    row = (await connection.execute(select(merchants).where(merchants.c.id == merchant_id))).first()
    return None if row is None else _merchant(row)


async def merchant_known_as(connection: AsyncConnection, name: str) -> str | None:
    """Give the id of the merchant that the configuration calls by a name."""
    found = await connection.scalar(select(merchants.c.id).where(merchants.c.known_as == name))
    return None if found is None else str(found)


async def list_merchants(
    connection: AsyncConnection, union_id: str, after: str, limit: int
) -> Sequence[MerchantProfile]:
    """Read merchants by id; of one union alone, if it is named."""
    wanted = merchants.c.id > after
    if union_id:
        wanted &= merchants.c.union_id == union_id
    query = select(merchants).where(wanted).order_by(merchants.c.id).limit(limit)
    return [_merchant(row) for row in await connection.execute(query)]


def _merchant(row: Row[Any]) -> MerchantProfile:
    return MerchantProfile(
        id=row.id,
        union_id=row.union_id,
        name=row.name,
        payout=row.payout,
        operating=row.operating,
        time_zone=row.time_zone,
        created_ms=row.created_ms,
    )
