"""The status: a row a minute, and a minute that nobody wrote is no good one."""

import asyncio
import json
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.chain.node_watch import wall_ms
from api.status.model import KEPT_MS, MINUTE_MS, SILENT, Outage, Watched
from api.status.rules import availability_of, minute_of, outages_of
from api.status.store import write_minute
from api.status.watching import StatusWatch
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig
from tests.support.system.patience import PATIENCE_S
from tests.unit.api.test_api_access import on_rig

M = MINUTE_MS
NOW_MS = wall_ms() - 60 * M
"""Stands still, and in the past: what whoever leads writes meanwhile is not looked at."""
PARTS = ("", "", "", "node", "database")


@pytest.mark.parametrize(
    ("minutes", "good", "told"),
    [
        (0, 0, "100.00"),
        (1, 0, "0.00"),
        (3, 2, "66.66"),
        (43_200, 43_199, "99.99"),
        (43_200, 43_200, "100.00"),
    ],
)
def test_availability_is_never_rounded_up(minutes: int, good: int, told: str) -> None:
    assert availability_of(minutes, good) == told


@given(st.lists(st.none() | st.sampled_from(PARTS), min_size=1, max_size=60))
def test_every_minute_is_good_or_in_one_outage(month: list[str | None]) -> None:
    written = [(n * M, part) for n, part in enumerate(month) if part is not None]
    if not written:
        return
    odd, before = list[Watched](), None
    for minute_ms, part in written:
        if part or (before is not None and minute_ms - before > M):
            odd.append(Watched(minute_ms, part, before))
        before = minute_ms
    newest = written[-1][0]
    told = outages_of(odd, newest, newest + M)
    bad = sorted(n for one in told for n in range(one.from_ms // M, one.to_ms // M))
    first = written[0][0] // M
    wanted = [n for n in range(first, newest // M + 1) if month[n] != ""]
    assert bad == wanted, "each once"
    assert told == sorted(told, key=lambda one: -one.from_ms)
    for later, earlier in pairwise(told):
        assert earlier.to_ms < later.from_ms or earlier.part != later.part, "joined"


def test_silence_up_to_now_is_an_outage_but_not_the_minute_that_goes_on() -> None:
    assert outages_of([], 0, 2 * M + M - 1) == []
    assert outages_of([], 0, 3 * M) == [Outage(M, 3 * M, SILENT)]


async def told(rig: ServiceRig) -> dict[str, object]:
    service = rig.service
    service.lookout.status = StatusWatch(service.engine, service.report, lambda: NOW_MS)
    answer = await rig.http.get("/api/v1/status")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_service_tells_of_itself_what_was_written(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        service = rig.service
        first = await told(rig)
        assert (first["availability"], first["observedSince"]) == ("100.00", None)
        assert set(first["parts"]) == {"database", "node", "follower"}
        this = minute_of(NOW_MS)
        async with service.engine.begin() as connection:
            written = {10: "", 9: "node", 8: "node", 7: "", 3: "", 2: "", 1: ""}
            for ago, part in written.items():
                await write_minute(connection, this - ago * M, part)
            await write_minute(connection, this - 7 * M, "database")
            await write_minute(connection, this - 7 * M, "")
            await write_minute(connection, this - 2 * KEPT_MS, "node")
        found = await told(rig)
        assert [(one["part"], _minutes(one)) for one in found["outages"]] == [
            ("service", 3), ("database", 1), ("node", 2),
        ]  # fmt: skip
        assert (found["observedMinutes"], found["goodMinutes"]) == (10, 4)
        assert (found["availability"], found["moreOutages"]) == ("40.00", False)
        await service.lookout.status.look()
        dropped = f"SELECT count(*) FROM status_minutes WHERE minute_ms < {this - KEPT_MS}"
        assert await rig.scalar(dropped) == 0

    on_rig(database, act)


def _minutes(outage: dict[str, str]) -> int:
    begins, ends = (datetime.fromisoformat(outage[name]) for name in ("from", "to"))
    return int((ends - begins).total_seconds()) // 60


def test_a_look_that_finds_the_node_away_spoils_its_minute(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        await rig.service.lookout.status.look()
        rig.node.silence()
        rig.service.standing.why_no_node = lambda: "silent"  # type: ignore[method-assign]
        await rig.service.lookout.status.look()
        parts = await rig.scalar("SELECT string_agg(DISTINCT part, ',') FROM status_minutes")
        assert "node" in str(parts)
        now = await told(rig)
        assert (now["status"], now["parts"]["node"]) == ("not_ready", False)
        assert "silent" not in json.dumps(now), "no reason is told to all, just the part"

    on_rig(database, act)


def test_whoever_leads_writes_by_itself_and_one_sum_serves_many(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await rig.scalar("SELECT count(*) FROM status_minutes"):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        record = await rig.service.lookout.status.record()
        await rig.execute("DELETE FROM status_minutes")
        assert await rig.service.lookout.status.record() is record

    on_rig(database, act)
