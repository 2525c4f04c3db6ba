"""Connections to the database, and its schema brought up to date.

Migrations run under an advisory lock, so that workers that start together wait for one another.
Every transaction that writes outbox events takes a lock just before it does: numbers then become
visible in their order, and a stream that has seen number n has seen all below it.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from api.db.address import COMMAND_TIMEOUT_S, read_address
from api.errors import ConfigFault

MIGRATION_LOCK: Final = 0x62696C6C01
OUTBOX_LOCK: Final = 0x62696C6C02


def open_engine(address: str, pool_size: int) -> AsyncEngine:
    """Open a pool of connections; none is made before it is needed. Raise `ConfigFault`."""
    read = read_address(address)
    return create_async_engine(
        URL.create("postgresql+asyncpg", database=read.database),
        async_creator=read.connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=COMMAND_TIMEOUT_S,
        pool_pre_ping=True,
    )


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigFault(
            f"the database's schema is not one of this program's ({error}): a newer program has "
            f"written it; start that one, or name another database in DATABASE_URL"
        ) from error


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema to the newest revision; one process at a time does it."""
    async with engine.begin() as connection:
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK}
        )
        await connection.run_sync(_upgrade)


async def lock_outbox(connection: AsyncConnection) -> None:
    """Wait for our turn to number outbox events; held until the transaction ends."""
    await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": OUTBOX_LOCK})
