"""A stream ends, with a word, within five seconds of what ends the right to read it."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from api.errors import Unauthorized
from api.events import guard
from api.events.guard import BYE, while_admitted
from tests.support.api.people_rig import PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, until
from tests.unit.api.test_api_terminals import sign_in


async def reading(people: PeopleRig, token: str) -> "asyncio.Task[bytes]":
    """Open a stream with a token; the task gives all of it once it has ended."""
    hub, before = people.rig.service.hub, people.rig.service.hub.count
    headers = {"Authorization": f"Bearer {token}"}

    async def read() -> bytes:
        return (await people.rig.http.get("/api/v1/stream", headers=headers)).content

    task = asyncio.create_task(read())
    await until(lambda: hub.count > before)
    return task


async def ended(task: "asyncio.Task[bytes]") -> None:
    began_s = time.monotonic()
    async with asyncio.timeout(20):
        assert (await task).endswith(BYE)
    assert time.monotonic() - began_s < 5.0


def test_who_is_suspended_reads_no_further(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer, manager = await people.officer(), await people.manager()
        stream = await reading(people, manager.token)
        await officer.ok("POST", f"/users/{manager.id}/suspend")
        await ended(stream)

    play(database, story, public_board=False)


def test_a_till_that_is_revoked_reads_no_further(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager)
        await sign_in(till, cashier)
        stream = await reading(people, till.token)
        await manager.ok("POST", f"/terminals/{till.id}/revoke")
        await ended(stream)

    play(database, story)


def test_a_stream_is_over_with_its_token(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        stream = await reading(people, manager.token)
        clocks.wall_ahead_ms += 15 * 60_000
        await ended(stream)
        assert people.rig.service.hub.count == 0

    play(database, story)


def test_a_public_board_asks_nobody(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        hub = people.rig.service.hub
        task = asyncio.create_task(people.rig.http.get("/api/v1/stream"))
        await until(lambda: hub.count == 1)
        hub.close()
        assert BYE not in (await task).content

    play(database, story)


def frames_of(*frames: bytes, closed: list[bool], for_ever: bool) -> AsyncGenerator[bytes, None]:
    async def give() -> AsyncGenerator[bytes, None]:
        try:
            for frame in frames:
                yield frame
            if for_ever:
                await asyncio.Event().wait()
        finally:
            closed.append(True)

    return give()


@pytest.mark.parametrize("for_ever", [False, True])
def test_frames_pass_until_they_end_or_the_right_to_them_does(
    monkeypatch: pytest.MonkeyPatch, for_ever: bool
) -> None:
    monkeypatch.setattr(guard, "ASK_S", 0.02)
    closed: list[bool] = []
    asked: list[bool] = []

    async def check() -> None:
        asked.append(True)
        if len(asked) == 1:
            raise OSError("the database is away")
        if len(asked) == 3:
            raise Unauthorized("over")

    async def run() -> list[bytes]:
        frames = frames_of(b"a", b"b", closed=closed, for_ever=for_ever)
        return [frame async for frame in while_admitted(frames, check)]

    got = asyncio.run(run())
    assert got == ([b"a", b"b", BYE] if for_ever else [b"a", b"b"])
    assert closed == [True]


def test_a_reader_who_leaves_closes_what_it_read_from() -> None:
    closed: list[bool] = []

    async def run() -> None:
        async def check() -> None:
            return

        frames = while_admitted(frames_of(b"a", closed=closed, for_ever=True), check)
        assert await anext(frames) == b"a"
        waiting = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())
    assert closed == [True]
