"""What the process logs of requests: one line each, under the id that the client is told."""

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from ulid import ULID

from api.config import prepare
from api.db.session import open_engine
from node.capped_log import LINES_A_SECOND, LINES_AT_ONCE_MAX
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port

COMMAND = (sys.executable, "-c", "from api.cli import app; app()")
FLOOD = 400
UNAUTHORIZED = "UNAUTHORIZED"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@dataclass
class Running:
    """A service in a process of its own."""

    process: asyncio.subprocess.Process
    http: httpx.AsyncClient
    port: int
    key: str
    database_url: str

    async def break_schema(self) -> None:
        """Make statements of the service wrong: what it then meets is a bug."""
        engine = open_engine(self.database_url, 1)
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE orders RENAME COLUMN items TO pieces"))
        await engine.dispose()

    async def stop(self) -> list[dict[str, object]]:
        """End it; give all that it has logged."""
        self.process.terminate()
        _, logged = await self.process.communicate()
        assert self.process.returncode == 0, logged[-2_000:]
        return [json.loads(line) for line in logged.splitlines()]


@contextlib.asynccontextmanager
async def running(database: TestDatabase, home: Path) -> AsyncIterator[Running]:
    port = free_port()
    made = prepare(
        home,
        node_urls=["http://127.0.0.1:9"],
        database_dir=home / "database",
        database_port=9,
        port=port,
    )
    async with database.fresh_database() as url:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "run", "--home", str(home)),
            stderr=asyncio.subprocess.PIPE,
            env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        )
        try:
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False
            ) as http:
                async with asyncio.timeout(PATIENCE_S):
                    while not await answers(http):  # noqa: ASYNC110 - another process
                        await asyncio.sleep(0.05)
                yield Running(process, http, port, made.api_key, url)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def answers(http: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await http.get("/healthz")).status_code == 200
    return False


def about(lines: list[dict[str, object]], request_id: str) -> list[dict[str, object]]:
    """Give the lines that bear a request's id."""
    return [
        line for line in lines if line.get("http", {}).get("request", {}).get("id") == request_id
    ]


def test_a_bug_is_a_problem_with_its_id_headers_and_counter_and_one_line_of_log(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        async with running(database, tmp_path) as api:
            await api.break_schema()
            answer = await api.http.get(f"/api/v1/orders/{ULID()}/qr.svg")
            assert answer.status_code == 500
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            body = answer.json()
            assert body["code"] == "INTERNAL"
            assert body["requestId"] == answer.headers["x-request-id"]
            metrics = (await api.http.get("/metrics")).text
            assert 'http_responses_total{status="500"} 1.0' in metrics
            lines = await api.stop()
            (line,) = about(lines, body["requestId"])
            assert line["log.level"] == "error"
            assert line["message"] == "bug"
            assert "UndefinedColumn" in str(line["error"])
            assert sum("stack_trace" in line.get("error", {}) for line in lines) == 1

    asyncio.run(run())


def test_a_refusal_is_found_in_the_log_under_the_id_that_the_client_was_told(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        async with running(database, tmp_path) as api:
            lost = await api.http.get(f"/api/v1/orders/{ULID()}")
            own = {"X-Request-Id": "till-0000001", "Authorization": f"Bearer {api.key}"}
            own["Idempotency-Key"] = "one"
            away = await api.http.post(
                "/api/v1/orders", json={"items": [{"productId": "whole-200"}]}, headers=own
            )
            assert (lost.status_code, away.status_code) == (401, 503)
            good = await api.http.get("/healthz", headers={"X-Request-Id": "till-0000002"})
            assert good.status_code == 200
            lines = await api.stop()
            (first,) = about(lines, lost.json()["requestId"])
            (second,) = about(lines, "till-0000001")
            assert first["http"]["response"]["status_code"] == 401
            assert first["event"]["code"] == "UNAUTHORIZED"
            assert second["event"]["code"] == "LEDGER_UNAVAILABLE"
            assert second["http"]["route"] == "/api/v1/orders"
            assert about(lines, "till-0000002") == []
            assert api.key not in json.dumps(lines)

    asyncio.run(run())


def test_a_client_that_hangs_up_in_mid_body_is_one_quiet_line(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        async with running(database, tmp_path) as api:
            head = (
                f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n"
                "X-Request-Id: hangs-up-1\r\n\r\n"
            )
            with socket.create_connection(("127.0.0.1", api.port)) as client:
                client.sendall(head.encode() + b'{"productId"')
            async with asyncio.timeout(PATIENCE_S):
                counted = 'status="499"} 1.0'
                while counted not in (await api.http.get("/metrics")).text:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            lines = await api.stop()
            (line,) = about(lines, "hangs-up-1")
            assert (line["log.level"], line["message"]) == ("info", "client left")
            assert all(line["log.level"] in ("info", "warning") for line in lines)
            assert max(len(json.dumps(line)) for line in lines) < 1_000

    asyncio.run(run())


def test_a_flood_of_refusals_does_not_fill_the_log_and_hides_no_other_refusal(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        async with running(database, tmp_path) as api:
            began_s = time.monotonic()
            for _ in range(FLOOD):
                assert (await api.http.get("/api/v1/orders/x")).status_code == 401
            other = await api.http.get("/api/v1/nowhere")
            most = LINES_AT_ONCE_MAX + LINES_A_SECOND * (time.monotonic() - began_s)
            metrics = (await api.http.get("/metrics")).text
            assert f'http_responses_total{{status="401"}} {FLOOD}.0' in metrics
            lines = await api.stop()
            assert len(about(lines, other.headers["x-request-id"])) == 1
            refused = [line for line in lines if line.get("event", {}).get("code") == UNAUTHORIZED]
            assert LINES_AT_ONCE_MAX <= len(refused) <= most

    asyncio.run(run())
