"""Connections to the database, and its schema brought up to date.

Migrations run under an advisory lock, so that workers that start together wait for one another.
Every transaction that writes outbox events takes a lock just before it does: numbers then become
visible in their order, and a stream that has seen number n has seen all below it.
"""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

MIGRATION_LOCK: Final = 0x62696C6C01
OUTBOX_LOCK: Final = 0x62696C6C02
CONNECT_TIMEOUT_S: Final = 5
COMMAND_TIMEOUT_S: Final = 15


def open_engine(url: str, pool_size: int) -> AsyncEngine:
    """Open a pool of connections; none is made before it is needed."""
    return create_async_engine(
        _driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=COMMAND_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={"timeout": CONNECT_TIMEOUT_S, "command_timeout": COMMAND_TIMEOUT_S},
    )


def _driver_url(url: str) -> str:
    """Name the driver in a plain `postgres://` address, as hosts of databases hand them out."""
    for plain in ("postgres://", "postgresql://"):
        if url.startswith(plain):
            return "postgresql+asyncpg://" + url.removeprefix(plain)
    return url


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


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
