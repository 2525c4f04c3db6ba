"""The service meets a database that starts, refuses, or is none: it waits, or says what to mend."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from api.config import prepare
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port

COMMAND = (sys.executable, "-c", "from api.cli import app; app()")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def error_message(sqlstate: str, text: str) -> bytes:
    """Write an ErrorResponse of PostgreSQL's protocol."""
    fields = f"SFATAL\0VFATAL\0C{sqlstate}\0M{text}\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


class Gate:
    """A port that answers connections with an error for a while, and then leads to a server."""

    def __init__(self, target: int, sqlstate: str, refusals: int) -> None:
        self._target, self._sqlstate = target, sqlstate
        self.refusals = refusals

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self.refusals > 0:
                await self._refuse(reader, writer)
            else:
                inner = await asyncio.open_connection("127.0.0.1", self._target)
                await asyncio.gather(pipe(reader, inner[1]), pipe(inner[0], writer))
        writer.close()

    async def _refuse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            start = await reader.readexactly(size - 4)
            if int.from_bytes(start[:4], "big") != 80877103:  # Not a request for TLS.
                break
            writer.write(b"N")
        self.refusals -= 1
        writer.write(error_message(self._sqlstate, "the database system is starting up"))
        await writer.drain()


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def service(home: Path, url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Start the service over a database's address."""
    port = free_port()
    prepare(
        home,
        node_urls=["http://127.0.0.1:9"],
        database_dir=home / "database",
        database_port=9,
        port=port,
    )
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "run", "--home", str(home)),
        stderr=asyncio.subprocess.PIPE,
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
    )
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def last_words(home: Path, url: str) -> str:
    """Run the service to its end, which is to come at once; give its last line."""
    async with service(home, url) as (process, _), asyncio.timeout(PATIENCE_S):
        _, logged = await process.communicate()
        assert process.returncode == 1
        assert b"bug" not in logged.lower()
        assert b"Traceback" not in logged
        return logged.decode().splitlines()[-1]


@pytest.mark.parametrize("sqlstate", ["57P03", "53300", "08006"])
def test_a_database_that_is_not_there_yet_is_waited_for_with_a_notice(
    database: TestDatabase, tmp_path: Path, sqlstate: str
) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            real, port = urlsplit(url).port, free_port()
            assert real is not None
            gate = Gate(real, sqlstate, refusals=3)
            async with (
                await asyncio.start_server(gate.serve, "127.0.0.1", port),
                service(tmp_path, url.replace(f":{real}/", f":{port}/")) as (process, listens),
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{listens}", trust_env=False) as http,
            ):
                await lives(http, process)
                process.terminate()
                _, logged = await process.communicate()
            assert (process.returncode, gate.refusals) == (0, 0)
            notices = [json.loads(line) for line in logged.splitlines()]
            assert any(
                line["message"] == "waiting for the database" and sqlstate in line["why"]
                for line in notices
            )

    asyncio.run(run())


async def lives(http: httpx.AsyncClient, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while process.returncode is None:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/healthz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)
    raise AssertionError(await process.communicate())


def test_what_only_a_person_can_mend_is_told_at_once_in_one_line(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            secret = urlsplit(url).password or ""
            name = urlsplit(url).path.strip("/")
            for wrong, words in (
                (url.replace(secret, "wrong"), ("28P01", "check user and password")),
                (url.replace(name, "nowhere"), ("3D000", "CREATE DATABASE")),
                (url + "?sslmode=require", ("TLS", "sslmode=disable")),
                (url + "?sslmode=verify-full&sslrootcert=/nowhere.pem", ("nowhere.pem",)),
                (url + "?options=-c%20no_such_setting%3D1", ("42704", "no_such_setting")),
                (url + "?keepalives=1", ("DATABASE_URL", "keepalives")),
                ("postgresql://u:pw@127.0.0.1:99999/x", ("DATABASE_URL", "1 to 65535")),
            ):
                told = await last_words(tmp_path, wrong)
                for word in words:
                    assert word in told, (wrong, told)
                assert secret not in told

    asyncio.run(run())


def test_a_command_tells_a_database_fault_in_one_line(
    database: TestDatabase, tmp_path: Path
) -> None:
    prepare(
        tmp_path,
        node_urls=["http://127.0.0.1:9"],
        database_dir=tmp_path / "database",
        database_port=9,
        port=9,
    )
    secret = urlsplit(database.url("postgres")).password or ""
    for url, word in (
        (database.url("postgres").replace(secret, "wrong"), "28P01"),
        (database.url("nowhere"), "3D000"),
        ("postgresql://127.0.0.1:9/x", "refused"),
        ("postgresql://127.0.0.1:x/x", "1 to 65535"),
    ):
        done = subprocess.run(
            [*COMMAND, "keys", "new", "--home", str(tmp_path), "--merchant", "Tenusu Kiosk"],
            capture_output=True,
            text=True,
            check=False,
            env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        )
        (line,) = done.stderr.splitlines()
        assert (done.returncode, line.startswith("billcoin api: "), word in line) == (1, True, True)


def test_parameters_of_libpq_take_effect(database: TestDatabase, tmp_path: Path) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            given = "?sslmode=disable&application_name=the%20till&connect_timeout=5"
            async with (
                service(tmp_path, url + given) as (process, port),
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
            ):
                await lives(http, process)
                await database.execute(
                    "DO $$ BEGIN ASSERT (SELECT count(*) > 0 FROM pg_stat_activity "
                    "WHERE application_name = 'the till'); END $$"
                )

    asyncio.run(run())


def test_a_schema_of_a_newer_program_is_told_and_left_alone(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        import asyncpg

        async with database.fresh_database() as url:
            connection = await asyncpg.connect(url.replace("+asyncpg", ""))
            await connection.execute("UPDATE alembic_version SET version_num = '9999'")
            await connection.close()
            assert "newer program" in await last_words(tmp_path, url)

    asyncio.run(run())
