"""Connections to the database, and its schema brought up to date.

Migrations run under an advisory lock, so that workers that start together wait for one another.
`in_transaction` is the one place that tries a transaction again when the database asks for that.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from random import random
from typing import Final, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, AdaptedConnection, Connection, event, text
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from api.db.address import COMMAND_TIMEOUT_S, read_address
from api.db.faults import sqlstate_of
from api.errors import ConfigFault

T = TypeVar("T")

MIGRATION_LOCK: Final = 0x62696C6C01
RETRIED: Final = frozenset({"40001", "40P01"})
"""A transaction that could not be put into a row with others; one that broke a ring of locks."""
TRIES_MAX: Final = 5
RETRY_S_MAX: Final = 0.02


def open_engine(address: str, pool_size: int) -> AsyncEngine:
    """Open a pool of connections; none is made before it is needed. Raise `ConfigFault`.

    A connection that has ended is not handed out. It is looked at, not asked: a ping before each
    transaction took a tenth of a worker's CPU, and a server that is gone has closed it anyway.
    """
    read = read_address(address)
    engine = create_async_engine(
        URL.create("postgresql+asyncpg", database=read.database),
        async_creator=read.connect,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=COMMAND_TIMEOUT_S,
        hide_parameters=True,  # A fault is logged, and parameters are people's data.
    )
    event.listen(engine.sync_engine, "checkout", _refuse_ended)
    return engine


def _refuse_ended(connection: AdaptedConnection, *_: object) -> None:
    """Have the pool replace a connection that has ended, and all that were opened before."""
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


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


async def database_ms(connection: AsyncConnection) -> int:
    """Read the database's clock, the one that all workers share."""
    found = await connection.scalar(
        text("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    )
    return int(found or 0)


async def in_transaction(engine: AsyncEngine, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do work in one transaction, and anew when the database asks for that.

    A transaction that lost a race (40001) or broke a ring of locks (40P01) has changed nothing:
    `work` is called again with a new connection, after a moment of chance so that two don't meet
    again. It must touch nothing but its connection.
    """
    for tried in count(1):
        try:
            async with engine.begin() as connection:
                return await work(connection)
        except DBAPIError as fault:
            if sqlstate_of(fault) not in RETRIED or tried == TRIES_MAX:
                raise
        await asyncio.sleep(random() * RETRY_S_MAX * tried)  # noqa: S311 - no secret
    raise AssertionError("count never ends")
