"""A merchant's events: all of them listed, in order, its own alone, and of known kinds."""

import ast
import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from api.events.kinds import MEANINGS, EventKind
from api.refunds.model import RefundState
from api.top_ups.model import TopUpState
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.tidy.repository import ROOT

PATH = "/api/v1/events"
NOUNS = "order|payment|refund|coupon|top_up|cash_out|terminal|approval|webhook|loyalty|flag"
KIND = re.compile(rf"({NOUNS})\.[a-z_]+", re.ASCII)


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: Any
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


async def listed(rig: ServiceRig, key: str = "", **query: Any) -> list[dict[str, Any]]:
    """Read all pages."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await rig.http.get(PATH, params=query, headers=rig.till(key))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        if not page["hasMore"]:
            return found
        query["cursor"] = page["nextCursor"]


def test_events_are_listed_in_order_without_a_gap_and_from_any_point_on(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        await rig.paid(await rig.order())
        await rig.order(rig.other_key)
        events = await listed(rig, limit=2)
        assert [event["sequence"] for event in events] == [1, 2, 3]
        assert [event["type"] for event in events] == [
            "order.created",
            "payment.submitted",
            "order.paid",
        ]
        assert await listed(rig, after=2) == events[2:]
        assert await listed(rig, after=1, limit=1) == events[1:]
        assert await listed(rig, type="order.paid") == events[2:]
        assert await listed(rig, after=3) == []
        (other,) = await listed(rig, rig.other_key)
        assert other["sequence"] == 1

    on_rig(database, act)


def test_anothers_event_is_told_as_one_that_is_not_there(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        await rig.order()
        (event,) = await listed(rig)
        assert (await rig.http.get(f"{PATH}/{event['id']}", headers=rig.till())).json() == event
        for name in (event["id"][:-1] + "2", "evt_1", "1", event["id"].lower()):
            answer = await rig.http.get(f"{PATH}/{name}", headers=rig.till())
            assert answer.status_code == 404, name
        foreign = await rig.http.get(f"{PATH}/{event['id']}", headers=rig.till(rig.other_key))
        assert foreign.status_code == 404
        cursor = await rig.http.get(PATH, params={"cursor": "AAAA"}, headers=rig.till())
        assert cursor.status_code == 400

    on_rig(database, act)


def written_kinds() -> set[str]:
    """Find every text in the service that reads as a kind of event."""
    return {
        node.value
        for path in (ROOT / "api").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and KIND.fullmatch(node.value)
    }


def test_what_is_older_than_400_days_is_forgotten_some_at_a_time(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.events.store.FORGOTTEN_AT_ONCE_MAX", 2)
    # Nobody else forgets meanwhile, however long the test takes.
    monkeypatch.setattr("api.housekeeping.SWEEP_S", 3_600.0)

    async def act(rig: ServiceRig) -> None:
        for key in ("", "", "", rig.other_key):
            await rig.order(key)
        day_ms = 86_400_000
        await rig.execute(f"UPDATE events SET at_ms = {rig.service.now_ms() - 401 * day_ms}")
        await rig.order()
        await rig.execute(
            f"UPDATE events SET at_ms = {rig.service.now_ms() - 399 * day_ms} WHERE seq = 4"
        )
        await rig.service.housekeeper.forget()
        assert await rig.scalar("SELECT count(*) FROM events") == 3
        for _ in range(2):
            await rig.service.housekeeper.forget()
        (left,) = await listed(rig)
        assert left["sequence"] == 4
        assert await listed(rig, rig.other_key) == []
        await rig.order()
        assert [event["sequence"] for event in await listed(rig)] == [4, 5]

    on_rig(database, act)


def test_events_are_found_by_their_age_without_reading_all_of_a_merchant(
    database: TestDatabase,
) -> None:
    """A replay since yesterday, and the broom, read what they are about."""

    async def act(rig: ServiceRig) -> None:
        await rig.execute(
            """
            INSERT INTO events (merchant_id, seq, kind, subject_id, body, at_ms)
            SELECT 'm' || n % 3, n, 'order.created', '', '{}', n FROM generate_series(1, 30000) n
            """
        )
        await rig.execute("ANALYZE events")
        for age in ("at_ms >= 29900", "at_ms < 100"):
            plan = await rig.scalar(
                f"EXPLAIN (FORMAT JSON) SELECT seq FROM events WHERE merchant_id = 'm1' AND {age}"
            )
            assert "events_by_age" in str(plan)

    on_rig(database, act)


def test_every_kind_that_is_written_is_known_and_has_a_meaning() -> None:
    assert written_kinds() <= set(EventKind)
    assert {f"refund.{state}" for state in RefundState} <= set(EventKind)
    assert {f"top_up.{state}" for state in TopUpState} <= set(EventKind)
    assert set(MEANINGS) == set(EventKind)


@pytest.mark.parametrize("kind", EventKind)
def test_a_kind_is_a_noun_and_what_became_of_it(kind: EventKind) -> None:
    assert KIND.fullmatch(kind)
