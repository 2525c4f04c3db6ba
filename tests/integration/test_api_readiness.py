"""`readyz` knows the database: killed, frozen and back, with a real server."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.system.patience import PATIENCE_S


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


async def database_is(rig: ServiceRig, *, ready: bool) -> str:
    """Wait until `readyz` tells so of the database; give the reason that it tells."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await rig.http.get("/readyz")
            part = answer.json()["parts"]["database"]
            if part["ready"] is ready:
                assert answer.status_code == (200 if ready else 503)
                assert answer.json()["status"] == ("ready" if ready else "not_ready")
                return str(part["reason"])
            await asyncio.sleep(0.05)


def test_a_database_that_is_killed_is_told_and_so_is_its_return(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            await database_is(rig, ready=True)
            database.cluster.stop()
            try:
                assert await database_is(rig, ready=False)
                headers = rig.till(**{"Idempotency-Key": "while it is away"})
                body = {"items": [{"productId": "whole-200"}]}
                answer = await rig.http.post("/api/v1/orders", json=body, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
                assert int(answer.headers["retry-after"]) >= 1
            finally:
                database.cluster.start(stderr=subprocess.DEVNULL)
                database.cluster.wait_ready()
            await database_is(rig, ready=True)
            await rig.paid(await rig.order())

    asyncio.run(run())


def test_a_database_that_goes_down_under_requests_leaves_no_bug(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            order = await rig.order()
            statuses, away = set[int](), asyncio.Event()

            async def ask(path: str, method: str = "GET") -> None:
                while not away.is_set():
                    answer = await rig.http.request(method, path, headers=rig.till())
                    statuses.add(answer.status_code)

            at = f"/api/v1/orders/{order['id']}"
            asked = ((at, "GET"), (f"{at}/fulfill", "POST"), ("/api/v1/orders", "GET"))
            async with asyncio.TaskGroup() as group:
                for path, method in asked * 4:
                    group.create_task(ask(path, method))
                await asyncio.sleep(0.2)
                await asyncio.to_thread(database.cluster.stop)
                try:
                    await database_is(rig, ready=False)
                    away.set()
                finally:
                    database.cluster.start(stderr=subprocess.DEVNULL)
                    database.cluster.wait_ready()
            assert statuses <= {200, 409, 503}, statuses
            await database_is(rig, ready=True)

    asyncio.run(run())


def test_a_database_that_hangs_is_told(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            await database_is(rig, ready=True)
            pids = await backends(rig)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            try:
                assert "did not answer" in await database_is(rig, ready=False)
                assert (await rig.http.get("/healthz")).status_code == 200
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
            await database_is(rig, ready=True)

    asyncio.run(run())


async def backends(rig: ServiceRig) -> list[int]:
    """Give the server's process and those that serve its connections."""
    postmaster = await rig.scalar("SELECT pg_backend_pid()")
    with open(f"/proc/{postmaster}/stat") as stat:  # noqa: ASYNC230 - a file of the kernel
        parent = int(stat.read().rsplit(")", 1)[1].split()[1])
    listed = subprocess.run(  # noqa: ASYNC221 - a moment
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True
    )
    return [parent, *map(int, listed.stdout.split())]
