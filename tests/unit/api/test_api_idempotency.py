"""One answer a key: kept with the work, given again, sealed, and forgotten after a week."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from cryptography.exceptions import InvalidTag
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.db.session import TRIES_MAX, in_transaction, open_engine
from api.errors import ApiFault, Conflict, Forbidden, Pointer, Throttled, Unavailable, Unprocessable
from api.http.idempotency import KEPT_MS, AnswerStore, Token
from api.http.replies import Reply
from tests.support.api.postgres import TestDatabase

TOKEN = Token("key:k", "one", b"f" * 32)


class Clock:
    now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


def on_store(
    database: TestDatabase, act: Callable[[AnswerStore, AsyncEngine, Clock], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with database.fresh_database() as url:
            engine, clock = open_engine(url, 8), Clock()
            async with engine.begin() as connection:
                await connection.execute(text("CREATE TABLE done (n bigint)"))
            try:
                await act(AnswerStore(engine, b"s" * 32, clock), engine, clock)
            finally:
                await engine.dispose()

    asyncio.run(run())


async def work(connection: AsyncConnection) -> Reply:
    await connection.execute(text("INSERT INTO done VALUES (1)"))
    return Reply({"secret": "milk"}, 201, {"Location": "/x"})


def refusing(fault: ApiFault) -> Callable[[AsyncConnection], Awaitable[Reply]]:
    async def refuse(connection: AsyncConnection) -> Reply:
        await connection.execute(text("INSERT INTO done VALUES (1)"))
        raise fault

    return refuse


async def counted(engine: AsyncEngine, statement: str = "SELECT count(*) FROM done") -> object:
    async with engine.connect() as connection:
        return await connection.scalar(text(statement))


def test_the_work_is_done_once_and_its_answer_given_again(database: TestDatabase) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, _: Clock) -> None:
        first = await store.once(TOKEN, work)
        assert (first.status, first.body) == (201, {"secret": "milk"})
        again = await store.once(TOKEN, work)
        assert (again.status, bytes(again.body)) == (201, b'{"secret":"milk"}')
        assert again.headers == {"Location": "/x", "Idempotent-Replayed": "true"}
        await store.once(Token("key:other", "one", b"g" * 32), work)
        assert await counted(engine) == 2

    on_store(database, act)


def test_another_request_under_the_key_is_refused_and_does_nothing(database: TestDatabase) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, _: Clock) -> None:
        await store.once(TOKEN, work)
        with pytest.raises(Unprocessable) as caught:
            await store.once(Token(TOKEN.principal, TOKEN.key, b"g" * 32), work)
        assert caught.value.code == "IDEMPOTENCY_KEY_REUSED"
        assert await counted(engine) == 1

    on_store(database, act)


def test_of_many_at_once_one_does_it_and_the_others_come_back(database: TestDatabase) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, _: Clock) -> None:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def slow(connection: AsyncConnection) -> Reply:
            started.set()
            await go_on.wait()
            return await work(connection)

        first = asyncio.create_task(store.once(TOKEN, slow))
        await started.wait()
        others = await asyncio.gather(
            *(store.once(TOKEN, work) for _ in range(5)), return_exceptions=True
        )
        for fault in others:
            assert isinstance(fault, Conflict)
            assert (fault.code, fault.retry_after_s) == ("IDEMPOTENCY_IN_PROGRESS", 1)
        go_on.set()
        assert (await first).status == 201
        assert (await store.once(TOKEN, work)).headers["Idempotent-Replayed"] == "true"
        assert await counted(engine) == 1

    on_store(database, act)


def test_a_refusal_is_an_answer_and_undoes_what_was_begun(database: TestDatabase) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, _: Clock) -> None:
        fault = Conflict("no milk", code="OUT_OF_STOCK", errors=(Pointer("/x", "Y"),))
        with pytest.raises(Conflict):
            await store.once(TOKEN, refusing(fault))
        with pytest.raises(ApiFault) as caught:
            await store.once(TOKEN, work)
        again = caught.value
        assert (again.status, again.code, again.detail) == (409, "OUT_OF_STOCK", "no milk")
        assert again.errors == fault.errors
        assert again.headers["Idempotent-Replayed"] == "true"
        assert await counted(engine) == 0

    on_store(database, act)


@pytest.mark.parametrize("fault", [Throttled("slow down"), Unavailable("away")])
def test_bad_luck_is_no_answer(database: TestDatabase, fault: ApiFault) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, _: Clock) -> None:
        with pytest.raises(type(fault)):
            await store.once(TOKEN, refusing(fault))
        assert (await store.once(TOKEN, work)).status == 201
        assert await counted(engine) == 1

    on_store(database, act)


def test_a_bug_keeps_nothing(database: TestDatabase) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, _: Clock) -> None:
        async def broken(connection: AsyncConnection) -> Reply:
            await work(connection)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await store.once(TOKEN, broken)
        assert await counted(engine) == 0
        assert (await store.once(TOKEN, work)).status == 201

    on_store(database, act)


def test_what_is_kept_is_sealed_and_bound_to_its_key(database: TestDatabase) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, _: Clock) -> None:
        await store.once(TOKEN, work)
        body = await counted(engine, "SELECT body FROM idempotent_answers")
        assert isinstance(body, bytes)
        assert b"milk" not in body
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE idempotent_answers SET key = 'two'"))
        with pytest.raises(InvalidTag):
            await store.once(Token(TOKEN.principal, "two", TOKEN.fingerprint), work)
        with pytest.raises(InvalidTag):
            await AnswerStore(engine, b"t" * 32, Clock()).once(
                Token(TOKEN.principal, "two", TOKEN.fingerprint), work
            )

    on_store(database, act)


def test_after_a_week_a_key_is_new(database: TestDatabase) -> None:
    async def act(store: AnswerStore, engine: AsyncEngine, clock: Clock) -> None:
        await store.once(TOKEN, work)
        clock.now_ms += KEPT_MS
        await store.forget()
        assert "Idempotent-Replayed" in ((await store.once(TOKEN, work)).headers or {})
        clock.now_ms += 1
        await store.forget()
        assert (await store.once(TOKEN, work)).headers == {"Location": "/x"}
        assert await counted(engine) == 2

    on_store(database, act)


def test_a_ring_of_locks_is_broken_and_both_transactions_are_done(database: TestDatabase) -> None:
    async def act(_: AnswerStore, engine: AsyncEngine, __: Clock) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO done VALUES (1), (2)"))
        met, tries = asyncio.Barrier(2), []

        def crossing(first: int, second: int) -> Callable[[AsyncConnection], Awaitable[None]]:
            async def cross(connection: AsyncConnection) -> None:
                tries.append(first)
                add = text("UPDATE done SET n = n + 10 WHERE n % 10 = :n")
                await connection.execute(add, {"n": first})
                if len(tries) <= 2:
                    await met.wait()
                await connection.execute(add, {"n": second})

            return cross

        await asyncio.gather(
            in_transaction(engine, crossing(1, 2)), in_transaction(engine, crossing(2, 1))
        )
        assert await counted(engine, "SELECT sum(n) FROM done") == 43
        assert len(tries) == 3

    on_store(database, act)


def failing(state: str, tried: list[str]) -> Callable[[AsyncConnection], Awaitable[None]]:
    async def fail(connection: AsyncConnection) -> None:
        tried.append(state)
        raising = f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$"
        await connection.execute(text(raising))

    return fail


def test_what_can_never_be_done_is_given_up_and_other_faults_are_not_tried_again(
    database: TestDatabase,
) -> None:
    async def act(_: AnswerStore, engine: AsyncEngine, __: Clock) -> None:
        for state, tries in (("40001", TRIES_MAX), ("23505", 1)):
            tried: list[str] = []
            with pytest.raises(DBAPIError):
                await in_transaction(engine, failing(state, tried))
            assert len(tried) == tries

        async def forbid(_: AsyncConnection) -> None:
            raise Forbidden("no")

        with pytest.raises(Forbidden):
            await in_transaction(engine, forbid)

    on_store(database, act)
