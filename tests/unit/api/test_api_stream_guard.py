"""A stream ends, with a word, within five seconds of what ends the right to read it."""

import asyncio
import re
from collections.abc import AsyncGenerator

import pytest

from api.errors import Unauthorized
from api.events import guard
from api.events.guard import BYE, while_admitted
from api.events.hub import PageSubject
from api.events.kinds import EventKind
from api.events.outbox import NewEvent, write_events
from tests.support.api.people_rig import PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig, until
from tests.support.system.patience import PATIENCE_S
from tests.tidy.repository import ROOT
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
    async with asyncio.timeout(PATIENCE_S):
        assert (await task).endswith(BYE)


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


def test_no_stream_shows_a_flag_since_a_till_reads_it(database: TestDatabase) -> None:
    """A flag may be about the cashier who looks: neither live nor what was missed shows it."""

    async def happen(rig: ServiceRig, merchant_id: str, *kinds: str) -> None:
        async with rig.service.engine.begin() as connection:
            told = [NewEvent(kind, merchant_id, "s", {}, 0) for kind in kinds]
            await write_events(connection, told)

    async def shown(page: AsyncGenerator[bytes, None]) -> bytes:
        """Read a page up to the till's event, which comes last."""
        told = b""
        async with asyncio.timeout(PATIENCE_S):
            while b"terminal.paired" not in told:
                told += await anext(page)
        await page.aclose()
        return told

    async def act(rig: ServiceRig) -> None:
        hub, order = rig.service.hub, await rig.order()
        shop = str(await rig.scalar("SELECT merchant_id FROM orders"))
        subject, snapshot = PageSubject(merchant_id=shop), rig.service.board.snapshot
        live = hub.listen(subject, None, snapshot)
        assert (await anext(live)).startswith(b"retry:")
        assert str(order["id"]).encode() in await anext(live)
        await happen(rig, shop, "flag.raised", "top_up.created", "terminal.paired")
        for page in (live, hub.listen(subject, 1, snapshot)):
            told = await shown(page)
            assert b"event: top_up" in told
            assert b"flag" not in told

    async def run() -> None:
        async with running_rig(database) as rig:
            await act(rig)

    asyncio.run(run())


def test_the_page_lists_every_kind_that_a_stream_bears() -> None:
    (row,) = [
        line
        for line in (ROOT / "docs" / "api.md").read_text().splitlines()
        if line.startswith("| `GET /api/v1/stream`")
    ]
    told = set(re.findall(r"`([a-z_]+)`", row))
    nouns = {kind.partition(".")[0] for kind in EventKind} - {"flag"}
    assert told == {*nouns, "snapshot", "chain"}


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
