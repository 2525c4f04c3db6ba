"""The database's schema: what migrations make is what the tables say."""

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from api.db.session import open_engine
from api.db.tables import metadata
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


def test_every_key_of_what_is_a_merchant_s_holds_it() -> None:
    of_everyone = {
        # The chain's, and what every merchant shares.
        "merchants", "unions", "products", "prices", "lots", "follower_cursor", "leases", "claims",
        "epochs", "signers",
        # What names its principal instead.
        "idempotent_answers", "rate_windows",
    }  # fmt: skip
    # An owner is a merchant or a union.
    owners = {"merchant_id", "union_id", "user_id", "owner_id"}
    for table in metadata.sorted_tables:
        if table.name not in of_everyone:
            assert owners & set(table.primary_key.columns.keys()), table.name
