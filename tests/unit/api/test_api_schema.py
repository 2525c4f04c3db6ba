"""The database's schema: what migrations make is what the tables say."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from api.db import session
from api.db.session import migrate, open_engine
from api.db.tables import metadata
from api.errors import ConfigFault
from tests.support.api.postgres import TestDatabase


def test_migrations_make_the_tables_as_they_are_written_down(database: TestDatabase) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": False}
        context = MigrationContext.configure(connection, opts=options)
        return [one for one in compare_metadata(context, metadata) if "alembic" not in str(one)]

    async def run() -> list[object]:
        async with database.fresh_database() as url:
            engine = open_engine(url, 1)
            try:
                async with engine.connect() as connection:
                    return await connection.run_sync(differences)
            finally:
                await engine.dispose()

    assert asyncio.run(run()) == []


OLDER = """
    SET session_replication_role = replica;
    INSERT INTO orders (id, merchant_id, product_id, price_id, quantity, amount_sen, state,
                        created_ms, expires_ms)
    VALUES ('old', 'm', 'p', 'p', 1, 180, 'paid', 1, 2);
    SET session_replication_role = origin;
"""


def at_revision(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(session.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def test_orders_of_an_older_chain_are_refused_and_not_thrown_away(database: TestDatabase) -> None:
    async def run() -> None:
        await database.execute("CREATE DATABASE older")
        engine = open_engine(database.url("older"), 1)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(at_revision, "0007")
                for statement in OLDER.strip().removesuffix(";").split(";"):
                    await connection.execute(text(statement))
            with pytest.raises(ConfigFault, match="orders of a chain"):
                await migrate(engine)
            async with engine.connect() as connection:
                assert await connection.scalar(text("SELECT id FROM orders")) == "old"
        finally:
            await engine.dispose()
            await database.execute("DROP DATABASE older WITH (FORCE)")

    asyncio.run(run())


def test_every_key_of_what_is_a_merchant_s_holds_it() -> None:
    of_everyone = {
        # The chain's, and what every merchant shares.
        "merchants", "unions", "prices", "lots", "follower_cursor", "leases", "claims",
        "epochs", "signers", "status_minutes",
        # What names its principal instead.
        "idempotent_answers", "rate_windows",
    }  # fmt: skip
    # An owner is a merchant or a union.
    owners = {"merchant_id", "union_id", "user_id", "owner_id"}
    for table in metadata.sorted_tables:
        if table.name not in of_everyone:
            assert owners & set(table.primary_key.columns.keys()), table.name
