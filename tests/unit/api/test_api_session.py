"""Connections that ended while they lay in the pool are nobody's problem."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.faults import DATABASE_FAULTS, describe, is_passing
from api.db.session import in_transaction, open_engine
from tests.support.api.farewell_line import FarewellLine
from tests.support.api.postgres import TestDatabase

POOL = 3
LOOKS_MAX = 1_000


async def _own_pid(connection: AsyncConnection) -> int:
    return int(await connection.scalar(text("SELECT pg_backend_pid()")) or 0)


async def _ended_by_the_server(engine: AsyncEngine, database: TestDatabase) -> list[int]:
    """Fill the pool, have the server end what is in it, and wait until that is known here."""
    held = [await engine.connect() for _ in range(POOL)]
    drivers = [(await each.get_raw_connection()).driver_connection for each in held]
    pids = [await _own_pid(each) for each in held]
    for each in held:
        await each.close()
    async with database.connected() as connection:
        await connection.fetch("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid", pids)
    for _ in range(LOOKS_MAX):
        if all(driver is not None and driver.is_closed() for driver in drivers):
            return pids
        await asyncio.sleep(0.01)
    raise AssertionError("the connections are open still")


def test_after_the_server_ended_every_connection_the_next_transactions_run(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            engine = open_engine(url, POOL)
            try:
                ended = await _ended_by_the_server(engine, database)
                anew = [await in_transaction(engine, _own_pid) for _ in range(POOL)]
            finally:
                await engine.dispose()
        assert not set(anew) & set(ended)

    asyncio.run(run())


def test_what_the_driver_says_of_a_session_that_a_server_ended_is_no_bug_of_ours() -> None:
    """`cannot switch to state 15` came as a bug and a 500 where a database went down first."""
    said = asyncpg.InternalClientError(
        "cannot switch to state 15; another operation is in progress"
    )
    fault = InternalError("SELECT 1", None, said)
    for one in (said, fault):
        assert isinstance(one, DATABASE_FAULTS)
        assert is_passing(one)
        assert describe(one) == "the connection ended in the middle of a statement"


def test_a_farewell_that_is_heard_before_the_line_is_seen_to_close_passes(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        async with database.fresh_database() as url, FarewellLine.to(url) as line:
            engine = open_engine(line.url, 1)
            try:
                pid = await in_transaction(engine, _own_pid)
                async with database.connected() as connection:
                    await connection.fetch("SELECT pg_terminate_backend($1)", pid)
                await line.until_farewell()
                with pytest.raises(DATABASE_FAULTS) as raised:
                    await in_transaction(engine, _own_pid)
                assert is_passing(raised.value), raised.value
                assert await in_transaction(engine, _own_pid) != pid
            finally:
                await engine.dispose()

    asyncio.run(run())
