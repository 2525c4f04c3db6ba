"""A real PostgreSQL for tests: one server a session, one fresh database a test.

The server is the product's own embedded one, so every test of the service also runs its
supervision. `fresh_database` copies a template in which the migrations have already run. A
database that was lent is emptied and lent again, unless its schema is no longer the template's: to
make and drop one takes a hundred times as long.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from ulid import ULID

from api.db.credentials import DATABASE_USER, database_password, database_url
from api.db.postgres import Cluster
from api.db.session import migrate, open_engine
from tests.support.system.ports import free_port

TEMPLATE = "billcoin_template"
GONE_WITHIN_MS = 5_000
SCHEMA = """
    SELECT md5(string_agg(told, ',' ORDER BY told)) FROM (
        SELECT concat_ws(' ', c.relname, c.relkind, a.attname, a.atttypid, a.attnotnull, a.attnum)
        FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        WHERE c.relnamespace = 'public'::regnamespace
        UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
        UNION ALL SELECT tgname || tgenabled::text FROM pg_trigger
        UNION ALL SELECT proname || md5(prosrc) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT version_num FROM alembic_version
    ) AS every(told)
"""
TABLES = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
ALONE = """
    SELECT pg_terminate_backend(pid, $1) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class TestDatabase:
    """A running server; gives the addresses of databases in it."""

    __test__ = False

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._directory = cluster.directory
        self._port = cluster.port
        self._schema = self._emptying = ""
        self._first_rows: list[tuple[str, str]] = []
        self._empty: list[str] = []

    def url(self, name: str) -> str:
        """Give the address of one database."""
        url = database_url(database_password(self._directory), self._port)
        return url.rsplit("/", 1)[0] + "/" + name

    @asynccontextmanager
    async def connected(self, name: str = "postgres") -> AsyncIterator[asyncpg.Connection]:
        """Lend a plain connection to a database."""
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=self._port,
            user=DATABASE_USER,
            password=database_password(self._directory),
            database=name,
        )
        try:
            yield connection
        finally:
            await connection.close()

    async def execute(self, statement: str) -> None:
        """Run a statement outside any transaction, over the server's first database."""
        async with self.connected() as connection:
            await connection.execute(statement)

    async def hurry(self) -> None:
        """Write without waiting for the disk: tests kill processes, never the machine."""
        await self.execute("ALTER SYSTEM SET fsync = off")
        await self.execute("SELECT pg_reload_conf()")

    async def make_template(self) -> None:
        """Migrate one database that all others are copied from."""
        await self.execute(f"CREATE DATABASE {TEMPLATE}")
        engine = open_engine(self.url(TEMPLATE), 2)
        await migrate(engine)
        await engine.dispose()
        async with self.connected(TEMPLATE) as connection:
            self._schema = await connection.fetchval(SCHEMA)
            tables = [row[0] for row in await connection.fetch(TABLES)]
            tables.remove("alembic_version")
            sequences = await connection.fetch("SELECT sequencename FROM pg_sequences")
            self._emptying = ";".join(
                ["SET session_replication_role = replica"]
                + [f"DELETE FROM {table}" for table in tables]
                + [f"ALTER SEQUENCE {row[0]} RESTART" for row in sequences]
            )
            found = [
                (table, await connection.fetchval(f"SELECT json_agg(t) FROM {table} t"))
                for table in tables
            ]
        self._first_rows = [(table, rows) for table, rows in found if rows]

    @asynccontextmanager
    async def fresh_database(self) -> AsyncIterator[str]:
        """Lend a migrated, empty database; give its address."""
        if self._empty:
            name = self._empty.pop()
        else:
            name = f"test_{ULID()}".lower()
            await self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        try:
            yield self.url(name)
        finally:
            if await self._has_emptied(name):
                self._empty.append(name)
            else:
                await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _has_emptied(self, name: str) -> bool:
        """Make a database what it was when it was copied; tell whether its schema still is."""
        async with self.connected(name) as connection:
            await connection.fetch(ALONE, GONE_WITHIN_MS)
            if await connection.fetchval(SCHEMA) != self._schema:
                return False
            await connection.execute(self._emptying)
            for table, rows in self._first_rows:
                await connection.execute(
                    f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1)",
                    rows,
                )
        return True


@contextmanager
def running_database(directory: Path) -> Iterator[TestDatabase]:
    """Run a server for as long as the block lasts."""
    cluster = Cluster(directory, free_port())
    cluster.create()
    cluster.start(stderr=subprocess.DEVNULL)
    try:
        cluster.wait_ready()
        database = TestDatabase(cluster)
        asyncio.run(database.hurry())
        asyncio.run(database.make_template())
        yield database
    finally:
        cluster.stop()
