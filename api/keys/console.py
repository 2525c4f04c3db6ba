"""An operator's acts on a merchant's keys, straight on the database, for the command line.

It serves before anybody can log in, and when nobody can any more. What is taken away is gone when
the act ends: it waits as the route does.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from api.access.epoch import settle
from api.catalogue.sellers import find_merchant
from api.chain.node_watch import wall_ms
from api.config import ApiConfig
from api.db.session import open_engine
from api.errors import ConfigFault
from api.keys import desk, store
from api.keys.model import KEYS_MAX, ApiKey


@asynccontextmanager
async def _merchant(config: ApiConfig, name: str) -> AsyncIterator[tuple[AsyncConnection, str]]:
    """Lend a transaction for a merchant; raise `ConfigFault` for a name that nobody knows."""
    engine = open_engine(config.database_url, 2)
    try:
        async with engine.begin() as connection:
            merchant_id = await find_merchant(connection, name)
            if merchant_id is None:
                raise ConfigFault(
                    f"there is no merchant {name!r}: merchants stand in config.toml and are "
                    f"known once the service has run"
                )
            yield connection, merchant_id
    finally:
        await engine.dispose()


async def list_all(config: ApiConfig, merchant: str) -> list[ApiKey]:
    """List a merchant's newest keys, revoked ones too."""
    async with _merchant(config, merchant) as (connection, merchant_id):
        return await store.list_keys(connection, merchant_id, "", KEYS_MAX, wall_ms())


async def issue(
    config: ApiConfig, merchant: str, name: str, scopes: Sequence[str]
) -> tuple[ApiKey, str]:
    """Make a key; give it and its secret."""
    async with _merchant(config, merchant) as (connection, merchant_id):
        return await desk.issue(
            connection, merchant_id, name, scopes, wall_ms(), livemode=config.livemode
        )


async def rotate(config: ApiConfig, merchant: str, key_id: str) -> tuple[ApiKey, str]:
    """Exchange a key's secret; give the key and the new one."""
    async with _merchant(config, merchant) as (connection, merchant_id):
        rotated = await desk.rotate(
            connection, merchant_id, key_id, wall_ms(), livemode=config.livemode
        )
    await settle()
    return rotated


async def revoke(config: ApiConfig, merchant: str, key_id: str) -> ApiKey:
    """Revoke a key, for every worker."""
    async with _merchant(config, merchant) as (connection, merchant_id):
        key = await desk.revoke(connection, merchant_id, key_id, wall_ms())
    await settle()
    return key
