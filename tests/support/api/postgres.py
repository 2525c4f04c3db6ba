"""A real PostgreSQL for tests: one server a session, one fresh database a test.

The server is the product's own embedded one, so every test of the service also runs its
supervision. `fresh_database` copies a template in which the migrations have already run.
"""

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
from ulid import ULID

from api.db.credentials import DATABASE_USER, database_password, database_url
from api.db.postgres import Cluster
from api.db.session import migrate, open_engine

TEMPLATE = "billcoin_template"


def free_port() -> int:
    """Find a port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TestDatabase:
    """A running server; gives the addresses of databases in it."""

    __test__ = False

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._directory = cluster.directory
        self._port = cluster.port

    def url(self, name: str) -> str:
        """Give the address of one database."""
        url = database_url(database_password(self._directory), self._port)
        return url.rsplit("/", 1)[0] + "/" + name

    async def execute(self, statement: str) -> None:
        """Run a statement outside any transaction, over the server's first database."""
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=self._port,
            user=DATABASE_USER,
            password=database_password(self._directory),
            database="postgres",
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

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

    @asynccontextmanager
    async def fresh_database(self) -> AsyncIterator[str]:
        """Lend a migrated, empty database; give its address."""
        name = f"test_{ULID()}".lower()
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        try:
            yield self.url(name)
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")


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
