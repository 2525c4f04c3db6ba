"""Webhooks end to end: what happened arrives, signed, in order, and as often as it must."""

import asyncio
from typing import Any

import pytest

from api.webhooks.dispatcher import FAILING_LANES_MAX
from api.webhooks.model import ENDPOINTS_MAX
from api.webhooks.schedule import GIVEN_UP_MS, RETRY_AFTER_S
from tests.support.api.hooked_rig import (
    LOG,
    PATH,
    attempted,
    log_of,
    logged,
    make,
    on_rig,
    send_test,
    verified,
)  # fmt: skip
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, rig_over, until
from tests.support.api.webhook_receiver import Received, receiving, status
from tests.support.system.patience import PATIENCE_S


def test_a_paid_order_arrives_signed_in_order_and_as_the_list_of_events_tells_it(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            endpoint = await make(rig, receiver.url, description="the till")
            order = await rig.order()
            await rig.paid(order)
            received = await receiver.wait_for(3)
            assert receiver.kinds[:3] == ["order.created", "payment.submitted", "order.paid"]
            assert receiver.sequences == sorted(receiver.sequences)
            for one in received:
                verified(one, endpoint["secret"])
            paid = received[2].event
            assert paid["data"]["order"]["id"] == order["id"]
            assert paid["data"]["order"]["state"] == "paid"
            assert (paid["apiVersion"], paid["livemode"]) == ("1", False)
            told = await rig.http.get(f"/api/v1/events/{paid['id']}", headers=rig.till())
            assert told.json() == paid
            (last, *_) = await logged(rig, lambda log: all(d["state"] == "delivered" for d in log))
            assert (last["eventId"], last["tries"]) == (paid["id"], 1)
            one = await rig.http.get(f"{LOG}/{last['id']}", headers=rig.till())
            (attempt,) = one.json()["attempts"]
            assert (attempt["status"], attempt["code"]) == (200, None)

    on_rig(database, act)


def test_what_is_not_taken_is_tried_again_under_its_name_and_the_rest_goes_on(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One event that a receiver can't digest holds up no other."""
    monkeypatch.setattr("api.webhooks.dispatcher.rest_ms", lambda _: 0)
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        def answer(one: Received) -> bytes:
            return status(500 if one.event["sequence"] == 1 and not healthy else 204)

        healthy: list[bool] = []
        async with receiving(answer) as receiver:
            await make(rig, receiver.url)
            for _ in range(3):
                await rig.order()
            await attempted(rig, 3)
            assert receiver.sequences == [1, 2, 3]
            healthy.append(True)
            clocks.wall_ahead_ms += 1_500 * RETRY_AFTER_S[0]
            await receiver.wait_for(4)
            first, *_, again = receiver.received
            assert first.headers["webhook-id"] == again.headers["webhook-id"]
            log = await logged(rig, lambda log: log[-1]["state"] == "delivered")
            assert log[-1]["tries"] == 2
            one = (await rig.http.get(f"{LOG}/{log[-1]['id']}", headers=rig.till())).json()
            assert [each["status"] for each in one["attempts"]] == [500, 204]

    on_rig(database, act, clocks=clocks)


def test_after_an_outage_events_come_in_their_order(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.webhooks.dispatcher.rest_ms", lambda _: 60_000)
    clocks, down = Clocks(), [True]

    async def act(rig: ServiceRig) -> None:
        async with receiving(lambda _: status(503 if down else 200)) as receiver:
            await make(rig, receiver.url)
            for _ in range(4):
                await rig.order()
            await attempted(rig, 1)
            down.clear()
            clocks.wall_ahead_ms += 120_000
            await receiver.wait_for(5)
            assert receiver.sequences == [1, 1, 2, 3, 4]

    on_rig(database, act, clocks=clocks)


def test_an_endpoint_that_hangs_holds_up_no_other(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving(lambda _: 60.0) as hangs, receiving() as well:
            for _ in range(ENDPOINTS_MAX):
                await make(rig, hangs.url)
            await make(rig, well.url, rig.other_key)
            await rig.order()
            await hangs.wait_for(ENDPOINTS_MAX)
            await rig.order(rig.other_key)
            await well.wait_for(1)
            assert well.kinds == ["order.created"]

    assert ENDPOINTS_MAX < FAILING_LANES_MAX
    on_rig(database, act)


def test_a_delivery_fails_after_its_last_try_and_a_replay_begins_it_anew(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.webhooks.dispatcher.rest_ms", lambda _: 0)
    clocks, down = Clocks(), [True]

    async def act(rig: ServiceRig) -> None:
        async with receiving(lambda _: status(500 if down else 200)) as receiver:
            await make(rig, receiver.url)
            await rig.order()
            for tries, wait_s in enumerate((*RETRY_AFTER_S, 0), 1):
                await attempted(rig, tries)
                clocks.wall_ahead_ms += 1_300 * wait_s
            (failed,) = await logged(rig, lambda log: log[0]["state"] == "failed")
            assert failed["tries"] == len(RETRY_AFTER_S) + 1
            down.clear()
            replayed = await rig.http.post(f"{LOG}/{failed['id']}/replay", headers=rig.till())
            assert (replayed.status_code, replayed.json()["state"]) == (202, "pending")
            received = await receiver.wait_for(len(RETRY_AFTER_S) + 2)
            assert len({one.headers["webhook-id"] for one in received}) == 1
            await logged(rig, lambda log: log[0]["state"] == "delivered")
            missing = await rig.http.post(f"{LOG}/{failed['id']}9/replay", headers=rig.till())
            assert missing.status_code == 404

    on_rig(database, act, clocks=clocks)


def test_what_happened_since_a_time_is_sent_anew(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            endpoint = await make(rig, receiver.url, events=["order.created"])
            for _ in range(3):
                await rig.order()
            await send_test(rig, endpoint)
            await receiver.wait_for(4)
            await logged(rig, lambda log: all(d["state"] == "delivered" for d in log))
            path = f"{PATH}/{endpoint['id']}/replay"
            body = {"since": "2020-01-01T00:00:00Z"}
            answer = await rig.http.post(path, json=body, headers=rig.till())
            assert answer.json() == {"queued": 3, "throughSequence": 3}
            received = await receiver.wait_for(7)
            assert receiver.sequences[-3:] == [1, 2, 3]
            assert received[0].body == received[4].body
            later = await rig.http.post(
                path, json={"since": "2100-01-01T00:00:00.000Z"}, headers=rig.till()
            )
            assert later.json() == {"queued": 0, "throughSequence": 0}
            for bad in ("2026-13-01T00:00:00Z", "2026-01-01", "2026-01-01T00:00:00+08:00", 5):
                wrong = await rig.http.post(path, json={"since": bad}, headers=rig.till())
                assert wrong.status_code == 400

    on_rig(database, act)


async def disabled_as(rig: ServiceRig, endpoint: dict[str, Any], reason: str) -> None:
    """Wait until an endpoint is disabled, and look at what the merchant is told."""
    told: list[Any] = []
    async with asyncio.timeout(PATIENCE_S):
        while not told:
            await asyncio.sleep(0.02)
            answer = await rig.http.get(
                "/api/v1/events", params={"type": "webhook.disabled"}, headers=rig.till()
            )
            told = answer.json()["data"]
    assert told[-1]["data"] == {"endpointId": endpoint["id"], "reason": reason}
    shown = (await rig.http.get(f"{PATH}/{endpoint['id']}", headers=rig.till())).json()
    assert (shown["state"], shown["disabledReason"]) == ("disabled", reason)


def test_an_endpoint_that_takes_nothing_for_three_days_is_disabled_and_its_merchant_told(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.webhooks.dispatcher.rest_ms", lambda _: 0)
    clocks, down = Clocks(), [True]

    async def act(rig: ServiceRig) -> None:
        async with receiving(lambda _: status(500 if down else 200)) as receiver:
            endpoint = await make(rig, receiver.url)
            await rig.order()
            await attempted(rig, 1)
            shown = (await rig.http.get(f"{PATH}/{endpoint['id']}", headers=rig.till())).json()
            assert shown["state"] == "enabled"
            clocks.wall_ahead_ms += GIVEN_UP_MS
            await disabled_as(rig, endpoint, "failing")
            assert {one["state"] for one in await log_of(rig)} == {"failed"}
            refused = await send_test(rig, endpoint)
            assert (refused.status_code, refused.json()["code"]) == (409, "ENDPOINT_DISABLED")
            down.clear()
            await rig.http.patch(
                f"{PATH}/{endpoint['id']}", json={"state": "enabled"}, headers=rig.till()
            )
            before = len(receiver.received)
            await rig.order()
            received = await receiver.wait_for(before + 1)
            assert received[-1].event["type"] == "order.created"  # What it missed stays missed.

    on_rig(database, act, clocks=clocks)


def test_an_endpoint_that_says_gone_is_disabled_at_once(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving(lambda _: status(410)) as receiver:
            endpoint = await make(rig, receiver.url)
            await rig.order()
            await disabled_as(rig, endpoint, "gone")

    on_rig(database, act)


def test_of_several_workers_one_sends_and_another_takes_over(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            await make(rig, receiver.url)
            async with rig_over(rig.service.config, rig.node) as second:
                for _ in range(5):
                    await rig.order()
                await receiver.wait_for(5)
                assert receiver.sequences == [1, 2, 3, 4, 5]
                owner = await rig.scalar("SELECT owner FROM leases WHERE name = 'webhooks'")
                await rig.execute(
                    "UPDATE leases SET owner = 'another', until_ms = 0 WHERE name = 'webhooks'"
                )
                await rig.order()
                await receiver.wait_for(6)
                assert owner
                assert second.service is not rig.service
            assert receiver.sequences == [1, 2, 3, 4, 5, 6]

    on_rig(database, act)


def test_a_sender_that_dies_in_the_act_is_outlived_by_its_claim(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        async with receiving(lambda _: 60.0) as receiver:
            endpoint = await make(rig, receiver.url)
            await send_test(rig, endpoint)
            await receiver.wait_for(1)

            def healthy(_: Received) -> bytes:
                return status(200)

            receiver.answer = healthy
            # The lease is lost while the first try is under way: it is cut off, nothing written.
            await rig.execute(
                "UPDATE leases SET owner = 'another', until_ms = 9e15 WHERE name = 'webhooks'"
            )
            await until(lambda: not receiver.serving)
            clocks.wall_ahead_ms += 31_000
            await rig.execute("UPDATE leases SET until_ms = 0 WHERE name = 'webhooks'")
            received = await receiver.wait_for(2)
            assert received[0].headers["webhook-id"] == received[1].headers["webhook-id"]
            (log,) = await logged(rig, lambda log: log[0]["state"] == "delivered")
            assert log["tries"] == 2

    on_rig(database, act, clocks=clocks)
