"""Events are numbered a merchant, and a worker knows of a settled block what the block changed."""

import asyncio
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.follower import begin_cursor
from api.chain.tip import NOWHERE, Cursor, SettledTip
from api.db.session import open_engine
from api.db.statements import text
from api.events.feed import OutboxFeed
from api.events.outbox import (
    EVENTS_MAX,
    NewEvent,
    StoredEvent,
    events_after,
    last_seqs,
    news_after,
    write_events,
)
from tests.support.api.postgres import TestDatabase

CHAIN = b"c" * 32
ONE, TWO = "1" * 26, "2" * 26


def on_engine(database: TestDatabase, act: Callable[[AsyncEngine], Awaitable[None]]) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            engine = open_engine(url, 4)
            try:
                await act(engine)
            finally:
                await engine.dispose()

    asyncio.run(run())


async def write(engine: AsyncEngine, *merchants: str, height: int = 0) -> None:
    """Write an event of each merchant, and settle up to a height with them."""
    async with engine.begin() as connection:
        await begin_cursor(connection, CHAIN)
        await connection.execute(
            text("UPDATE follower_cursor SET height = :height, hash = :hash"),
            {"height": height, "hash": bytes([height]) * 32},
        )
        events = [NewEvent("order.created", m, str(i), {}, 5) for i, m in enumerate(merchants)]
        await write_events(connection, events)


def test_each_merchant_has_numbers_of_its_own_without_a_gap(database: TestDatabase) -> None:
    async def act(engine: AsyncEngine) -> None:
        await write(engine, TWO, ONE, TWO)
        await write(engine, ONE)
        await write(engine)
        async with engine.connect() as connection:
            assert await last_seqs(connection) == {ONE: 2, TWO: 2}
            two = await events_after(connection, {TWO: 0}, TWO)
            assert [(event.seq, event.subject_id) for event in two] == [(1, "0"), (2, "2")]
            one = await events_after(connection, {ONE: 1}, ONE)
            assert [(event.seq, event.subject_id) for event in one] == [(2, "0")]

    on_engine(database, act)


def test_news_are_of_every_merchant_with_the_block_that_is_settled(database: TestDatabase) -> None:
    async def act(engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            assert await news_after(connection, {}) == (NOWHERE, [])
        await write(engine, height=3)
        async with engine.connect() as connection:
            assert await news_after(connection, {}) == (Cursor(CHAIN, 3, b"\3" * 32), [])
        await write(engine, ONE, TWO, ONE, height=4)
        async with engine.connect() as connection:
            cursor, events = await news_after(connection, {ONE: 1})
            assert cursor.height == 4
            assert [(event.merchant_id, event.seq) for event in events] == [(ONE, 2), (TWO, 1)]

    on_engine(database, act)


def test_a_worker_says_that_a_block_is_settled_once_it_told_all_that_it_changed(
    database: TestDatabase,
) -> None:
    async def act(engine: AsyncEngine) -> None:
        tip, told = SettledTip(), list[StoredEvent]()
        feed = OutboxFeed(engine, tip, lambda: True, told.extend)
        await write(engine, height=1)
        assert not await feed.read()
        assert tip.cursor.height == 1
        await write(engine, *[ONE] * (EVENTS_MAX + 1), height=2)
        assert await feed.read(), "there is more"
        assert (len(told), tip.cursor.height) == (EVENTS_MAX, 1)
        assert not await feed.read()
        assert (len(told), tip.cursor.height) == (EVENTS_MAX + 1, 2)

    on_engine(database, act)


def test_the_same_words_are_the_same_statement() -> None:
    assert text("SELECT 1") is text("SELECT 1")
