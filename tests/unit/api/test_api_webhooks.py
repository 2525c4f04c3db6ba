"""Webhooks end to end: what happened arrives, signed, in order, and as often as it must."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook
from ulid import ULID

from api.access.roles import Role
from api.webhooks.dispatcher import FAILING_LANES_MAX
from api.webhooks.model import ENDPOINTS_MAX, OVERLAP_MS
from api.webhooks.schedule import GIVEN_UP_MS, RETRY_AFTER_S
from tests.support.api.callers import Callers, key, person
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, rig_over, running_rig, until
from tests.support.api.webhook_receiver import Received, receiving, status

PATH = "/api/v1/webhook-endpoints"
LOG = "/api/v1/webhook-deliveries"
CALLERS = Callers()


@asynccontextmanager
async def hooked_rig(database: TestDatabase, **options: Any) -> AsyncIterator[ServiceRig]:
    async with running_rig(database, **options) as rig:
        rig.service.gate.readers.append(CALLERS)
        yield rig


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: Any
) -> None:
    async def run() -> None:
        async with hooked_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


def named(rig: ServiceRig, secret: str = "") -> dict[str, str]:
    return rig.till(secret, **{"Idempotency-Key": str(ULID())})


async def make(rig: ServiceRig, url: str, secret: str = "", **more: Any) -> dict[str, Any]:
    answer = await rig.http.post(PATH, json={"url": url, **more}, headers=named(rig, secret))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    return {**made["webhookEndpoint"], "secret": made["secret"]}


async def log_of(rig: ServiceRig, **query: str) -> list[dict[str, Any]]:
    return (await rig.http.get(LOG, params=query, headers=rig.till())).json()["data"]


async def logged(rig: ServiceRig, reached: Callable[[list[dict[str, Any]]], bool]) -> Any:
    """Wait for a state of the log."""
    async with asyncio.timeout(15):
        while not reached(found := await log_of(rig)):  # noqa: ASYNC110 - see `until`
            await asyncio.sleep(0.02)
    return found


async def attempted(rig: ServiceRig, count: int) -> None:
    """Wait until so many tries have ended: what they change is written with them."""
    async with asyncio.timeout(15):
        while await rig.scalar("SELECT count(*) FROM webhook_attempts") != count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def send_test(rig: ServiceRig, endpoint: dict[str, Any]) -> httpx.Response:
    return await rig.http.post(f"{PATH}/{endpoint['id']}/test", headers=named(rig))


def verified(received: Received, secret: str) -> Any:
    return Webhook(secret).verify(received.body, received.headers)


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


def test_an_endpoint_hears_the_kinds_that_it_named_and_its_own_merchants_alone(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            await make(rig, receiver.url, events=["order.cancelled"])
            other = await make(rig, receiver.url, rig.other_key)
            order = await rig.order()
            await rig.http.post(f"/api/v1/orders/{order['id']}/cancel", headers=rig.till())
            await receiver.wait_for(1)
            assert receiver.kinds == ["order.cancelled"]
            for method, path, body in (
                ("GET", f"{PATH}/{other['id']}", None),
                ("PATCH", f"{PATH}/{other['id']}", {}),
                ("DELETE", f"{PATH}/{other['id']}", None),
                ("POST", f"{PATH}/{other['id']}/test", None),
                ("POST", f"{PATH}/{other['id']}/rotate-secret", None),
                ("POST", f"{PATH}/{other['id']}/replay", {"since": "2026-01-01T00:00:00Z"}),
                ("GET", f"{LOG}/{other['id']}-1", None),
                ("POST", f"{LOG}/{other['id']}-1/replay", None),
                ("POST", f"{LOG}/nonsense/replay", None),
            ):
                answer = await rig.http.request(method, path, json=body, headers=named(rig))
                assert answer.status_code == 404, (method, path)

    on_rig(database, act)


def test_a_test_event_goes_to_its_endpoint_alone_whatever_that_listens_for(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as tried, receiving() as other:
            endpoint = await make(rig, tried.url, events=["order.paid"])
            await make(rig, other.url)
            sent = await send_test(rig, endpoint)
            assert sent.status_code == 202
            (received,) = await tried.wait_for(1)
            assert received.event == sent.json()
            order = await rig.order()
            await other.wait_for(1)
            assert other.kinds == ["order.created"]
            assert order["id"] == other.received[0].event["data"]["order"]["id"]

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


def test_a_rotated_secret_signs_for_a_day_beside_the_new_one(database: TestDatabase) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            endpoint = await make(rig, receiver.url)
            headers = {**named(rig)}
            path = f"{PATH}/{endpoint['id']}/rotate-secret"
            rotated = await rig.http.post(path, headers=headers)
            again = await rig.http.post(path, headers=headers)
            assert again.content == rotated.content
            new = rotated.json()["secret"]
            assert new != endpoint["secret"]
            assert len(rotated.json()["webhookEndpoint"]["secrets"]) == 2
            await send_test(rig, endpoint)
            (both,) = await receiver.wait_for(1)
            verified(both, endpoint["secret"])
            verified(both, new)
            clocks.wall_ahead_ms += OVERLAP_MS + 1_000
            await send_test(rig, endpoint)
            last = (await receiver.wait_for(2))[1]
            assert len(last.headers["webhook-signature"].split()) == 2
            stored = await rig.scalar(
                "SELECT string_agg(t::text, '') FROM (SELECT * FROM webhook_secrets) t"
            )
            assert new.removeprefix("whsec_") not in str(stored)

    on_rig(database, act, clocks=clocks)


async def disabled_as(rig: ServiceRig, endpoint: dict[str, Any], reason: str) -> None:
    """Wait until an endpoint is disabled, and look at what the merchant is told."""
    told: list[Any] = []
    async with asyncio.timeout(15):
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


def test_an_endpoint_is_changed_disabled_and_deleted(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            endpoint = await make(rig, receiver.url)
            path = f"{PATH}/{endpoint['id']}"
            changed = await rig.http.patch(
                path,
                json={
                    "url": receiver.url + "&b=2",
                    "description": "other",
                    "events": ["order.paid", "order.paid"],
                    "state": "disabled",
                },
                headers=rig.till(),
            )
            shown = changed.json()
            assert shown["url"].endswith("&b=2")
            assert (shown["description"], shown["events"]) == ("other", ["order.paid"])
            assert (shown["state"], shown["disabledReason"]) == ("disabled", "merchant")
            assert (await rig.http.get(path, headers=rig.till())).json() == shown
            listed = await rig.http.get(PATH, headers=rig.till())
            assert listed.json()["data"] == [shown]
            assert (await rig.http.delete(path, headers=rig.till())).status_code == 200
            assert (await rig.http.delete(path, headers=rig.till())).status_code == 404
            for table in ("webhook_endpoints", "webhook_secrets", "webhook_deliveries"):
                assert await rig.scalar(f"SELECT count(*) FROM {table}") == 0

    on_rig(database, act, ready=False)


def test_urls_that_are_none_and_endpoints_without_number_are_refused(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        for url, code in (
            ("ftp://shop.example/", "NOT_A_URL"),
            ("http://169.254.169.254/latest/meta-data", "ADDRESS_REFUSED"),
        ):
            answer = await rig.http.post(PATH, json={"url": url}, headers=named(rig))
            assert (answer.status_code, answer.json()["code"]) == (422, "BAD_WEBHOOK_URL")
            assert answer.json()["errors"] == [{"pointer": "/url", "code": code}]
        for _ in range(ENDPOINTS_MAX):
            await make(rig, "http://127.0.0.1:9/")
        full = await rig.http.post(PATH, json={"url": "http://127.0.0.1:9/"}, headers=named(rig))
        assert (full.status_code, full.json()["code"]) == (409, "TOO_MANY_ENDPOINTS")

    on_rig(database, act, ready=False)


def test_a_key_needs_the_scope_and_a_manager_the_role(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        merchant = str(await rig.scalar("SELECT id FROM merchants WHERE name = 'Kiosk'"))
        for principal, expected in (
            (key("orders:write", merchant=merchant), 403),
            (key("webhooks:write", merchant=merchant), 200),
            (person(Role.MANAGER, place=merchant), 200),
            (person(Role.CASHIER, place=merchant), 403),
        ):
            answer = await rig.http.get(PATH, headers=CALLERS.headers(principal))
            assert answer.status_code == expected

    on_rig(database, act, ready=False)


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


def test_old_deliveries_are_forgotten(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        from api.webhooks.deliveries import forget_deliveries

        async with receiving() as receiver:
            await make(rig, receiver.url)
            await rig.order()
            await receiver.wait_for(1)
            await logged(rig, lambda log: log[0]["state"] == "delivered")
            async with rig.service.engine.begin() as connection:
                await forget_deliveries(connection, 0)
            assert len(await log_of(rig)) == 1
            async with rig.service.engine.begin() as connection:
                await forget_deliveries(connection, 2**50)
            assert await log_of(rig) == []
            assert await rig.scalar("SELECT count(*) FROM webhook_attempts") == 0

    on_rig(database, act)


def test_the_log_goes_on_by_its_cursor_and_is_told_by_endpoint_and_state(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        async with receiving() as receiver:
            first = await make(rig, receiver.url)
            await make(rig, receiver.url)
            for _ in range(3):
                await rig.order()
            await receiver.wait_for(6)
            await logged(rig, lambda log: {d["state"] for d in log} == {"delivered"})
            found, cursor = [], ""
            while True:
                query = {"limit": "4", **({"cursor": cursor} if cursor else {})}
                page = (await rig.http.get(LOG, params=query, headers=rig.till())).json()
                found += [one["id"] for one in page["data"]]
                if not page["hasMore"]:
                    break
                cursor = page["nextCursor"]
            assert len(set(found)) == 6
            assert len(await log_of(rig, endpointId=first["id"])) == 3
            assert await log_of(rig, state="failed") == []

    on_rig(database, act)
