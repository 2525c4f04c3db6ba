"""Endpoints of webhooks: made, changed, tried, deleted; and the log of what they were sent."""

from api.access.roles import Role
from api.webhooks.delivery_log import forget_deliveries
from api.webhooks.model import ENDPOINTS_MAX, OVERLAP_MS
from tests.support.api.callers import key, person
from tests.support.api.hooked_rig import (
    CALLERS,
    LOG,
    PATH,
    log_of,
    logged,
    make,
    named,
    on_rig,
    send_test,
    verified,
)  # fmt: skip
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig
from tests.support.api.webhook_receiver import receiving


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


def test_old_deliveries_are_forgotten(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
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
