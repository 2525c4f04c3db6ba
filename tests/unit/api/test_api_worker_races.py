"""Workers that meet: at their start, and over the same keys."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from sqlalchemy import text

from api.db.session import open_engine
from api.http.idempotency import Token
from api.http.replies import Reply
from api.orders.drawing import NewOrder
from api.service import open_service
from tests.support.api.held_locks import held_locks
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, rig_config, running_rig
from tests.support.node.fake_node import FakeNode

FINGERPRINT = b"f" * 32


def test_workers_that_begin_together_write_the_catalogue_once(database: TestDatabase) -> None:
    async def begin(url: str, node: FakeNode) -> None:
        async with open_service(rig_config(url, ("bck_test_" + "a" * 52,) * 2), node):
            pass

    async def run() -> None:
        async with database.fresh_database() as url:
            await asyncio.gather(*(begin(url, FakeNode()) for _ in range(4)))
            engine = open_engine(url, 1)
            async with engine.connect() as connection:
                for table, count in (("unions", 1), ("merchants", 2), ("prices", 1)):
                    found = await connection.scalar(text(f"SELECT count(*) FROM {table}"))
                    assert (table, found) == (table, count)
            await engine.dispose()

    asyncio.run(run())


@pytest.mark.parametrize("met", [1, 3])
def test_a_batch_that_meets_others_keys_again_and_again_gives_their_orders(
    database: TestDatabase, met: int
) -> None:
    """What another worker writes between look and write is found the next time, however often."""

    async def act(rig: ServiceRig) -> None:
        names, orders = [f"key {number}" for number in range(met)], []
        async with contextlib.AsyncExitStack() as stack:
            others = []
            await rig.execute("CREATE TABLE known AS TABLE idempotent_answers WITH NO DATA")
            for name in names:
                orders += await open_all(rig, [name])
                await rig.execute(
                    "WITH gone AS (DELETE FROM idempotent_answers RETURNING *) "
                    "INSERT INTO known SELECT * FROM gone"
                )
                # Another worker has used this key, and has not committed yet.
                other = await stack.enter_async_context(held_locks(rig.service.config.database_url))
                used = "INSERT INTO idempotent_answers SELECT * FROM known WHERE key = $1"
                await other.do(used, name)
                others.append(other)
            asked = asyncio.create_task(open_all(rig, names))
            for other in others:
                await other.until_met()
                await other.end()
            assert await asked == orders

    on_rig(database, act)


async def open_all(rig: ServiceRig, keys: list[str]) -> list[object]:
    service = rig.service
    merchant = str(await rig.scalar("SELECT id FROM merchants WHERE name = 'Kiosk'"))
    requests = [
        NewOrder(merchant, (("whole-200", 1),), Token("key:a", key, FINGERPRINT)) for key in keys
    ]
    answers = await service.desk.open_orders(requests, service.now_ms())
    return [
        json.loads(msgspec.json.encode(answer.body))["id"] if isinstance(answer, Reply) else answer
        for answer in answers
    ]


def on_rig(database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]]) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            await act(rig)

    asyncio.run(run())
