"""Orders listed by kind, day and search; one order's own stream; tickets by their till's letter."""

import asyncio
import contextlib
import json
from datetime import date

import pytest

from api.errors import MalformedRequest
from api.events.hub import EVERYTHING, SIGN_OF_LIFE
from api.events.outbox import events_after
from api.http.bodies import decode_query
from api.http.pages import SpanQuery
from api.http.scalars import Day, Instant
from api.tenants.days import day_of
from tests.support.api.people_rig import PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig, until
from tests.unit.api.test_api_terminals import sign_in

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        ("Asia/Kuala_Lumpur", "2026-03-31T16:00:00Z"),
        ("UTC", "2026-04-01T00:00:00Z"),
        ("no/such zone", "2026-03-31T16:00:00Z"),
    ],
)
def test_a_shops_day_begins_at_its_own_midnight(zone: str, begins: str) -> None:
    begin_ms, end_ms = day_of(date(2026, 4, 1), zone)
    assert begin_ms == Instant.read(begins).time_ms
    assert end_ms - begin_ms == DAY_MS


@pytest.mark.parametrize(
    "text",
    ["", "2026-04-01", "2026-13-01T00:00:00Z", "2026-04-01T00:00:00", "2026-04-01T24:00:01Z",
     "2026-04-01t00:00:00z", "1969-01-01T00:00:00Z", "2026-04-01T00:00:00+08:00"],
)  # fmt: skip
def test_a_time_is_one_in_utc_or_none(text: str) -> None:
    with pytest.raises(MalformedRequest) as fault:
        decode_query([("from", text)], SpanQuery)
    assert [(e.pointer, e.code) for e in fault.value.errors] == [("/query/from", "NOT_A_TIME")]


def test_times_and_days_are_read_to_the_millisecond() -> None:
    assert Instant.read("1970-01-01T00:00:01.250Z").time_ms == 1_250
    assert Day.read("2028-02-29").written() == "2028-02-29"
    with pytest.raises(ValueError, match="NOT_A_DAY"):
        Day.read("2026-02-29")


def test_orders_are_found_by_day_kind_and_what_is_typed(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        orders = [await rig.order() for _ in range(2)]
        await rig.order(rig.other_key)
        paid = await rig.paid(orders[0])
        today = f"(SELECT created_ms FROM orders WHERE id = '{orders[0]['id']}')"
        local = f"to_char(to_timestamp({today} / 1000) AT TIME ZONE 'Asia/Kuala_Lumpur', "
        day = await rig.scalar(f"SELECT {local}'YYYY-MM-DD')")

        async def found(query: str) -> list[str]:
            answer = await rig.http.get(f"/api/v1/orders?{query}", headers=rig.till())
            assert answer.status_code == 200, answer.text
            return [each["id"] for each in answer.json()["data"]]

        first, second = (str(order["id"]) for order in orders)
        both = [second, first]
        for query, expected in (
            (f"date={day}", both),
            ("date=2020-01-01", []),
            (f"date={day}&to=2020-01-01T00:00:00Z", []),
            ("kind=sale", both),
            ("kind=coupon", []),
            ("from=2020-01-01T00:00:00Z", both),
            ("to=2020-01-01T00:00:00Z", []),
            (f"search={first.lower()}", [first]),
            (f"search={orders[1]['ticket']}", [second]),
            (f"search={orders[1]['code']}", [second]),
            (f"search={paid.id.hex()}", [first]),
            ("search=nothing", []),
        ):
            assert await found(query) == expected, query

    async def run() -> None:
        async with running_rig(database) as rig:
            await act(rig)

    asyncio.run(run())


def test_whoever_knows_an_order_follows_it_and_no_other(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            order, other = await rig.order(), await rig.order()
            path = f"/api/v1/orders/{order['id']}/stream"
            assert (await rig.http.get(path.replace(str(order["id"]), "0" * 26))).status_code == 404
            reading = asyncio.create_task(rig.http.get(path))
            await until(lambda: rig.service.hub.count == 1)
            await rig.paid(other)
            await rig.paid(order)
            await rig.service.feed.read()
            rig.service.hub.close()
            text = (await reading).text
        told = [
            json.loads(line.removeprefix("data: "))
            for line in text.splitlines()
            if line.startswith("data: ")
        ]
        assert told[0]["order"]["state"] == "awaiting_payment"
        assert told[-1]["data"]["order"]["state"] == "paid"
        ids = {(each.get("data") or each)["order"]["id"] for each in told}
        assert ids == {order["id"]}

    asyncio.run(run())


def test_a_host_has_so_many_streams_and_no_more(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            monkeypatch.setattr(rig.service.hub.places, "free", lambda host: False)
            answer = await rig.http.get(f"/api/v1/orders/{(await rig.order())['id']}/stream")
            assert answer.json()["code"] == "TOO_MANY_STREAMS"

    asyncio.run(run())


def test_a_ticket_bears_the_letter_of_its_till(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager, letter="C")
        assert (await sign_in(till, cashier)).status_code == 201
        opened = await till.call("POST", "/orders", {"items": [{"productId": "whole-200"}]})
        assert opened.json()["ticket"] == "C-01"
        assert (await people.rig.order())["ticket"] == "A-02", "one row of numbers for the shop"

    play(database, story)


def is_told(frame: bytes) -> bool:
    return b"event: chain" not in frame and frame != SIGN_OF_LIFE.raw


def test_what_becomes_of_tills_and_wishes_is_told_to_their_merchant_alone(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rig, manager, officer = people.rig, await people.manager(), await people.officer()
        hub = rig.service.hub

        async def nothing() -> object:
            return {}

        board = hub.listen(EVERYTHING, None, nothing)
        async with contextlib.aclosing(board):
            await anext(board)
            till = await people.till(manager)
            for act in ("lock", "unlock", "revoke"):
                await manager.ok("POST", f"/terminals/{till.id}/{act}")
            role = [{"role": "cashier", "merchantId": people.merchant_id}]
            (wish,) = (await officer.ok("POST", "/users", {"name": "Siti", "roles": role}))[
                "approvals"
            ]
            await (await people.officer()).ok("POST", f"/approvals/{wish}/approve")
            await rig.order()
            frames = (frame async for frame in board if is_told(frame))
            assert b"event: snapshot" in await anext(frames)
            shown = await anext(frames)
            assert b"order.created" in shown, "the board shows orders and no more"
        async with rig.service.engine.connect() as connection:
            stored = await events_after(connection, {}, people.merchant_id)
        assert [event.kind for event in stored] == [
            "terminal.paired",
            "terminal.locked",
            "terminal.unlocked",
            "terminal.revoked",
            "approval.requested",
            "approval.applied",
            "order.created",
        ]

    play(database, story, public_board=True)
