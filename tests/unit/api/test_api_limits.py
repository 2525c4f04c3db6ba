"""Rate limits: what is counted is what is told, over a real database and its clock."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.db.session import open_engine
from api.limits.counter import Limiter
from api.limits.windows import MINUTE_MS, LimitAsk, Quota, Window
from tests.support.api.postgres import TestDatabase

NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"


class Shared:
    """One database and the limiters of two workers over it."""

    def __init__(self, url: str, limit: int) -> None:
        self.engine = open_engine(url, 4)
        self.limit, self.ahead_ms = limit, 0
        self.workers = [Limiter(self.engine, lambda: self.ahead_ms) for _ in range(2)]

    async def take(self, subjects: list[str], worker: int = 0) -> list[Quota]:
        asks = [LimitAsk(subject, self.limit) for subject in subjects]
        quotas = await self.workers[worker].take(asks)
        assert all(isinstance(quota, Quota) for quota in quotas)
        return quotas  # type: ignore[return-value]  # as asserted

    async def passed_before(self, subject: str, count: int) -> None:
        """Say that so many passed in the minute before this one."""
        async with self.engine.begin() as connection:
            await connection.execute(
                text(f"""
                    INSERT INTO rate_windows (subject, minute, count)
                    VALUES (:subject, {NOW_MS} / 60000 - 1, :count)
                """),
                {"subject": subject, "count": count},
            )


def over(database: TestDatabase, limit: int, act: Callable[[Shared], Awaitable[None]]) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            shared = Shared(url, limit)
            try:
                await act(shared)
            finally:
                await shared.engine.dispose()

    asyncio.run(run())


def test_no_more_than_the_limit_passes_in_whatever_batches_and_workers(
    database: TestDatabase,
) -> None:
    async def act(shared: Shared) -> None:
        batches = await asyncio.gather(
            *(shared.take(["a"] * size + ["b"], n % 2) for n, size in enumerate([3, 1, 7, 4, 5]))
        )
        for subject, place in (("a", slice(0, -1)), ("b", slice(-1, None))):
            quotas = [quota for batch in batches for quota in batch[place]]
            # A minute may have begun between them: then its share passes as well.
            passed = sum(quota.allowed for quota in quotas)
            assert passed >= min(10, len(quotas)), subject
            assert passed <= 12, subject

    over(database, 10, act)


def test_refused_requests_are_not_counted_and_what_remains_is_told_in_order(
    database: TestDatabase,
) -> None:
    async def act(shared: Shared) -> None:
        first = await shared.take(["a"] * 5)
        assert [quota.allowed for quota in first] == [True] * 3 + [False] * 2
        assert [quota.remaining for quota in first] == [2, 1, 0, 0, 0]
        again = await shared.take(["a"] * 50)
        assert not any(quota.allowed for quota in again)
        assert again[0].retry_s <= first[-1].retry_s
        async with shared.engine.connect() as connection:
            assert await connection.scalar(text("SELECT max(count) FROM rate_windows")) == 3

    over(database, 3, act)


def test_who_waits_as_long_as_told_passes(database: TestDatabase) -> None:
    async def act(shared: Shared) -> None:
        if time.time() % 60 > 50:  # The next minute would begin within the test, with nothing.
            await asyncio.sleep(60 - time.time() % 60)
        await shared.passed_before("a", 600)
        # The window lets one more pass each 100 ms.
        while (quota := (await shared.take(["a"]))[0]).allowed:
            assert quota.limit == 600
        assert quota.retry_s == 1
        await asyncio.sleep(quota.retry_s)  # What is told is what is tested.
        assert (await shared.take(["a"]))[0].allowed

    over(database, 600, act)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    limit=st.integers(1, 12),
    story=st.lists(st.tuples(st.integers(1, 15), st.integers(0, 90_000)), min_size=1, max_size=8),
)
def test_waiting_exactly_as_long_as_told_succeeds_whatever_came_before(
    database: TestDatabase, limit: int, story: list[tuple[int, int]]
) -> None:
    async def act(shared: Shared) -> None:
        for count, pause_ms in story:
            quotas = await shared.take(["a"] * count, count % 2)
            if not quotas[-1].allowed:
                shared.ahead_ms += 1_000 * quotas[-1].retry_s
                assert (await shared.take(["a"]))[0].allowed, "told, waited, and refused"
            shared.ahead_ms += pause_ms

    over(database, limit, act)


def test_what_is_given_back_fits_again(database: TestDatabase) -> None:
    async def act(shared: Shared) -> None:
        limiter, asks = shared.workers[0], [LimitAsk("a", 2)] * 2
        async with shared.engine.begin() as connection:
            assert all(q.allowed for q in await limiter.take_within(connection, asks))
            await limiter.give_back(connection, ["a"])
        assert [q.allowed for q in await shared.take(["a", "a"])] == [True, False]

    over(database, 2, act)


async def counted_and_broken(limiter: Limiter, connection: AsyncConnection) -> None:
    await limiter.take_within(connection, [LimitAsk("a", 1)])
    raise LookupError


def test_what_a_transaction_counted_is_not_counted_if_it_fails(database: TestDatabase) -> None:
    async def act(shared: Shared) -> None:
        with pytest.raises(LookupError):
            async with shared.engine.begin() as connection:
                await counted_and_broken(shared.workers[0], connection)
        assert (await shared.take(["a"]))[0].allowed

    over(database, 1, act)


def test_each_subject_has_the_limit_that_is_named_with_it(database: TestDatabase) -> None:
    async def act(shared: Shared) -> None:
        asks = [LimitAsk("few", 1), LimitAsk("many", 3), LimitAsk("few", 1), LimitAsk("many", 3)]
        quotas = await shared.workers[0].take(asks)
        assert [q.allowed for q in quotas if isinstance(q, Quota)] == [True, True, False, True]

    over(database, 1, act)


def test_old_windows_are_forgotten(database: TestDatabase) -> None:
    async def act(shared: Shared) -> None:
        await shared.take(["a"])
        async with shared.engine.begin() as connection:
            await connection.execute(text("UPDATE rate_windows SET minute = minute - 10"))
        await shared.workers[0].forget()
        async with shared.engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM rate_windows")) == 0

    over(database, 3, act)


def later(window: Window, wait_ms: int) -> Window:
    """Let time go by without requests."""
    minutes, into_ms = divmod(window.into_ms + wait_ms, MINUTE_MS)
    before = (window.before, window.count, 0, 0)[min(minutes, 2)]
    return Window(window.limit, before, window.count if minutes == 0 else 0, into_ms)


WINDOWS = st.builds(
    Window,
    limit=st.integers(1, 200),
    before=st.integers(0, 300),
    count=st.integers(0, 300),
    into_ms=st.integers(0, MINUTE_MS - 1),
)


@given(WINDOWS)
def test_one_fits_at_the_time_that_is_told_and_not_a_moment_before(window: Window) -> None:
    wait_ms = window.fits_in_ms()
    assert later(window, wait_ms).left > 0
    assume(wait_ms > 0)
    assert later(window, wait_ms - 1).left == 0


@given(WINDOWS)
def test_everything_fits_again_when_it_is_told(window: Window) -> None:
    assert later(window, window.empties_in_ms()).left == window.limit
