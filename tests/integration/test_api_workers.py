"""Several workers are one service: real processes at one port, over one real database."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from ulid import ULID

from api.workers.words import DIED, KEPT, RENEWED
from ledger.types.transaction import Transaction
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.workers_rig import Till, WorkersRig, running_workers
from tests.support.system.patience import PATIENCE_S

WAKES_S = 8.0
"""A wait is woken by the outbox within a twentieth of a second; machines of tests are slow."""
Story = Callable[[WorkersRig], Awaitable[None]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def play(database: TestDatabase, home: Path, story: Story, **options: object) -> None:
    async def run() -> None:
        async with running_workers(database, home, **options) as rig:
            await story(rig)

    asyncio.run(run())


async def opened(till: Till) -> dict[str, object]:
    answer = await till.order()
    assert answer.status_code == 201, answer.text
    return answer.json()


@asynccontextmanager
async def stream_of(till: Till) -> AsyncIterator[AsyncIterator[str]]:
    async with till.http.stream("GET", "/api/v1/stream", headers=till.headers) as answer:
        assert answer.status_code == 200
        yield answer.aiter_lines()


async def next_event(lines: AsyncIterator[str], kind: str) -> dict[str, object]:
    async with asyncio.timeout(PATIENCE_S):
        found = False
        async for line in lines:
            if line.startswith("data: ") and found:
                return json.loads(line[6:])
            found = line == f"event: {kind}"
    raise AssertionError(f"the stream ended without {kind}")


def test_what_one_worker_does_the_other_waits_for_and_streams(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def story(rig: WorkersRig) -> None:
        async with rig.two_tills() as (first, second):
            order = await opened(first)
            payment = rig.sign(await second.offer(order))
            assert (await first.pay(order, payment)).status_code == 202
            asked = asyncio.create_task(second.validate(payment.id.hex(), wait_s=30))
            await asyncio.sleep(0.5)
            assert not asked.done(), "it is on its way, and waited for"
            began = time.monotonic()
            rig.ledger.make_block()
            assert (await asked).json()["valid"] is True
            assert time.monotonic() - began < WAKES_S
            assert (await second.read(order))["state"] == "paid"

        async with rig.two_tills() as (first, second), stream_of(first) as lines:
            await next_event(lines, "snapshot")
            shown = await opened(second)
            told = await next_event(lines, "order")
            assert (told["kind"], told["data"]["order"]["id"]) == ("order.created", shown["id"])

        async with rig.two_tills() as (first, second):
            keys = [f"at both {number}" for number in range(20)]
            both = [till.order(key) for key in keys for till in (first, second)]
            answers = await asyncio.gather(*both)
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.json()["id"] for answer in answers}) == len(keys)

    play(database, tmp_path, story, automatic=False)


def test_a_quota_is_shared_and_so_are_counters_whoever_is_asked_and_whoever_died(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def story(rig: WorkersRig) -> None:
        async with rig.two_tills() as (first, second):
            passed, asked = 0, 0
            for _ in range(12):
                for till in (first, second):
                    asked += 1
                    passed += (await till.validate("ab" * 32)).status_code == 200
            # A minute may begin in between: then the one before still counts, in part.
            assert 10 <= passed <= 12, passed
            sums = [await counted(till) for till in (first, second)]
            for known in sums:
                assert known['validations_total{answer="TX_NOT_FOUND"}'] == passed
                assert known['http_responses_total{status="429"}'] == asked - passed
                assert known["validation_latency_seconds_count"] == passed
                assert known["workers"] == 2
                assert known['service_ready{part="follower"}'] == 1
            started = rig.serving()
            os.kill(second.pid, signal.SIGKILL)
            await rig.until(lambda: rig.said(DIED), "the death of a worker")
            assert (await counted(first))["workers"] == 1
            await rig.until(lambda: rig.serving() > started, "another in its place")
            after = await counted(first)
            assert after['validations_total{answer="TX_NOT_FOUND"}'] == passed
            assert after['http_responses_total{status="429"}'] == asked - passed
            assert after["workers"] == 2
        assert await rig.stop() == 0
        assert not (tmp_path / "counts.path").exists()

    play(database, tmp_path, story, validate_per_minute=10)


async def counted(till: Till) -> dict[str, float]:
    text = (await till.http.get("/metrics")).text
    samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


async def shop(rig: WorkersRig, paid: list[dict[str, object]], stop: asyncio.Event) -> None:
    """Buy one pack after another, whatever breaks off; the same bytes until they are taken."""
    while not stop.is_set():
        with contextlib.suppress(httpx.TransportError, AssertionError):
            async with rig.till() as till:
                answer = await till.order()
                assert answer.status_code == 201
                offer = await till.offer(answer.json())
            payment = rig.sign(offer)
            await rig.until_so(partial(is_taken, rig, answer.json(), payment), "an answer")
            paid.append(answer.json())


def test_when_the_worker_that_follows_is_killed_another_takes_over_and_nothing_is_lost_or_twice(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def story(rig: WorkersRig) -> None:
        paid: list[dict[str, object]] = []
        stop = asyncio.Event()
        shopping = asyncio.create_task(shop(rig, paid, stop))
        await rig.until(lambda: len(paid) >= 5, "some payments")
        victim = await rig.leader()
        assert victim in rig.pids()
        os.kill(victim, signal.SIGKILL)
        before = len(paid)

        async def another_leads() -> bool:
            return await rig.leader() not in (0, victim)

        await rig.until_so(another_leads, "another leader")
        await rig.until(lambda: len(paid) >= before + 5, "payments after it")
        stop.set()
        await shopping
        async with rig.till() as till:
            for order in paid:
                await rig.until_so(partial(is_paid, till, order), "the settlement")
        await books_agree(rig, len(paid))

    play(database, tmp_path, story)


async def books_agree(rig: WorkersRig, count: int) -> None:
    """Check that so many payments were settled, each told once, without a gap in the numbers."""
    settled = "SELECT count(*) FROM payments WHERE state = 'finalised'"
    told = "SELECT count(*) FROM events WHERE kind = 'order.paid'"
    gaps = """SELECT count(*) FROM merchant_sequences s
        WHERE s.seq <> (SELECT count(*) FROM events e WHERE e.merchant_id = s.merchant_id)"""
    found = [await rig.scalar(statement) for statement in (settled, told, gaps)]
    assert found == [count, count, 0]


async def is_taken(rig: WorkersRig, order: dict[str, object], payment: Transaction) -> bool:
    with contextlib.suppress(httpx.TransportError):
        async with rig.till() as till:
            return (await till.pay(order, payment)).status_code == 202
    return False


async def is_paid(till: Till, order: dict[str, object]) -> bool:
    return (await till.read(order))["state"] == "paid"


async def asked_anew(rig: WorkersRig) -> int:
    """Ask for an order over a new connection; give the status, or raise what the network says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    body = b'{"items": [{"productId": "whole-200"}]}'
    head = (
        f"POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {rig.key}\r\n"
        f"Idempotency-Key: {ULID()}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1])


def test_a_renewal_under_load_refuses_cuts_and_fails_nobody(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def story(rig: WorkersRig) -> None:
        before, stop = rig.pids(), asyncio.Event()
        statuses: dict[str, list[int]] = {"new": [], "kept": []}

        async def connect_anew() -> None:
            while not stop.is_set():
                statuses["new"].append(await asked_anew(rig))
                await asyncio.sleep(0.05)

        async def keep_connected() -> None:
            async with rig.till() as till:
                while not stop.is_set():
                    statuses["kept"].append((await till.order()).status_code)
                    await asyncio.sleep(0.3)

        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(connect_anew())
                group.create_task(keep_connected())
            await rig.until(lambda: len(statuses["new"]) > 10, "some requests")
            rig.process.send_signal(signal.SIGHUP)
            await rig.until(lambda: rig.said(RENEWED), "the end of the renewal")
            seen = len(statuses["new"])
            await rig.until(lambda: len(statuses["new"]) > seen + 10, "requests after it")
            stop.set()
        assert not set(before) & set(rig.pids())
        assert len(rig.pids()) == 2
        assert {status for each in statuses.values() for status in each} == {201}
        assert await rig.leader() in rig.pids()

    play(database, tmp_path, story)


def test_a_new_worker_that_cannot_serve_leaves_the_old_ones_serving_and_the_log_says_so(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def story(rig: WorkersRig) -> None:
        before = rig.pids()
        good = (tmp_path / "config.toml").read_text()
        (tmp_path / "config.toml").write_text(good + "\nnonsense = 1\n")
        rig.process.send_signal(signal.SIGHUP)
        await rig.until(lambda: rig.said(KEPT), "the end of the attempt")
        assert rig.pids() == before
        async with rig.till() as till:
            assert (await till.order()).status_code == 201
        (tmp_path / "config.toml").write_text(good)
        rig.process.send_signal(signal.SIGHUP)
        await rig.until(lambda: rig.said(RENEWED), "the end of the renewal")
        assert not set(before) & set(rig.pids())

    play(database, tmp_path, story)


def test_when_every_worker_is_killed_who_connects_waits_and_is_served(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def story(rig: WorkersRig) -> None:
        for pid in rig.pids():
            os.kill(pid, signal.SIGKILL)
        await rig.until(lambda: sum(one["message"] == DIED for one in rig.logged) == 2, "deaths")
        async with rig.till() as till:
            assert till.pid in rig.pids()
        workers = [psutil.Process(pid) for pid in rig.pids()]
        os.kill(rig.process.pid, signal.SIGKILL)
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, 20)
        assert alive == [], "workers do not outlive their parent"
        with pytest.raises(httpx.ConnectError):
            async with rig.till():
                pass

    play(database, tmp_path, story)
