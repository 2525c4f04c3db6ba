"""Keys of a merchant: made, listed, exchanged, revoked at once, and each for its kind of chain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from ulid import ULID

from api.access import epoch
from api.access.roles import ALL_SCOPES, Role
from api.http.app import create_app
from api.keys.model import KEYS_MAX, OVERLAP_MS, new_key
from api.service import open_service
from tests.support.api.callers import Callers, person
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig

PATH = "/api/v1/api-keys"
CALLERS = Callers()


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig, str], Awaitable[None]], **options: object
) -> None:
    """Run with the id of the merchant whose key the rig has."""

    async def run() -> None:
        async with running_rig(database, **options) as rig:
            rig.service.gate.readers.append(CALLERS)
            merchant = await rig.scalar("SELECT id FROM merchants WHERE name = 'Kiosk'")
            await act(rig, str(merchant))

    asyncio.run(run())


def manager(merchant: str, **headers: str) -> dict[str, str]:
    return dict(CALLERS.headers(person(Role.MANAGER, place=merchant), **headers))


async def make(rig: ServiceRig, merchant: str, *scopes: str, key: str = "") -> httpx.Response:
    return await rig.http.post(
        PATH,
        json={"name": "till 3", "scopes": list(scopes or ALL_SCOPES)},
        headers=manager(merchant, **{"Idempotency-Key": key or str(ULID())}),
    )


async def opens(rig: ServiceRig, secret: str) -> int:
    """Tell what a key gets where it may read orders."""
    path = f"/api/v1/orders/{ULID()}"
    return (await rig.http.get(path, headers=rig.till(secret))).status_code


def test_a_key_is_made_shown_once_and_does_what_its_scopes_say(database: TestDatabase) -> None:
    async def act(rig: ServiceRig, merchant: str) -> None:
        made = await make(rig, merchant, "orders:read")
        assert made.status_code == 201
        body = made.json()
        assert body["secret"].startswith("bck_test_")
        assert body["apiKey"]["livemode"] is False
        assert body["apiKey"]["secrets"][0]["hint"] == body["secret"][-4:]
        assert await opens(rig, body["secret"]) == 404
        weak = await rig.http.post("/api/v1/orders", json={}, headers=rig.till(body["secret"]))
        assert weak.status_code == 403
        read = await rig.http.get(made.headers["location"], headers=manager(merchant))
        assert read.json() == body["apiKey"]
        stored = await rig.scalar(
            "SELECT string_agg(t::text, '') FROM (SELECT * FROM idempotent_answers) t"
        )
        assert body["secret"] not in str(stored)
        assert body["secret"].encode().hex() not in str(stored)

    on_rig(database, act, ready=False)


def test_a_key_that_is_asked_for_twice_is_made_once_with_the_same_secret(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig, merchant: str) -> None:
        first = await make(rig, merchant, key="one")
        again = await make(rig, merchant, key="one")
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["location"] == first.headers["location"]
        other = await make(rig, merchant, "orders:read", key="one")
        assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert await rig.scalar("SELECT count(*) FROM api_keys") == 3

    on_rig(database, act, ready=False)


def test_the_list_is_the_merchants_own_and_goes_on_by_its_cursor(database: TestDatabase) -> None:
    async def act(rig: ServiceRig, merchant: str) -> None:
        for _ in range(4):
            assert (await make(rig, merchant)).status_code == 201
        found, cursor = [], ""
        while True:
            url = f"{PATH}?limit=2" + (f"&cursor={cursor}" if cursor else "")
            page = (await rig.http.get(url, headers=manager(merchant))).json()
            found += [key["id"] for key in page["data"]]
            if not page["hasMore"]:
                assert page["nextCursor"] is None
                break
            cursor = page["nextCursor"]
        assert len(set(found)) == 5
        assert found == sorted(found, reverse=True)
        others = await rig.http.get(f"{PATH}?cursor={cursor}", headers=manager("other"))
        assert (others.status_code, others.json()["errors"][0]["code"]) == (400, "NOT_A_CURSOR")
        assert (await rig.http.get(PATH, headers=manager("other"))).json()["data"] == []
        for method, path in (
            ("GET", f"{PATH}/{found[0]}"),
            ("DELETE", f"{PATH}/{found[0]}"),
            ("POST", f"{PATH}/{found[0]}/rotate"),
        ):
            headers = manager("other", **{"Idempotency-Key": "k"})
            assert (await rig.http.request(method, path, headers=headers)).status_code == 404

    on_rig(database, act, ready=False)


def test_a_rotated_secret_lives_on_for_a_day_and_two_live_at_most(database: TestDatabase) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig, merchant: str) -> None:
        made = (await make(rig, merchant)).json()
        secrets = [made["secret"]]
        path = f"{PATH}/{made['apiKey']['id']}/rotate"
        for name in ("a", "b"):
            headers = manager(merchant, **{"Idempotency-Key": name})
            answer = await rig.http.post(path, headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.json()["apiKey"]["id"] == made["apiKey"]["id"]
            assert len(answer.json()["apiKey"]["secrets"]) == 2
            secrets.append(answer.json()["secret"])
        assert [await opens(rig, secret) for secret in secrets] == [401, 404, 404]
        clocks.wall_ahead_ms = clocks.steady_ahead_s = OVERLAP_MS + 60_000
        clocks.steady_ahead_s /= 1_000
        assert [await opens(rig, secret) for secret in secrets] == [401, 401, 404]

    on_rig(database, act, ready=False, clocks=clocks)


@asynccontextmanager
async def second_worker(rig: ServiceRig) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        open_service(rig.service.config, rig.node) as service,
        httpx.AsyncClient(
            transport=httpx.ASGITransport(create_app(service)),
            base_url="http://milk.example",
            trust_env=False,
        ) as http,
    ):
        yield http


def test_a_revoked_key_passes_in_no_worker_once_it_is_said_to_be_revoked(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig, merchant: str) -> None:
        made, done = (await make(rig, merchant)).json(), asyncio.Event()
        headers = rig.till(made["secret"])

        async def ask_until_it_is_done(http: httpx.AsyncClient) -> int:
            """Ask as fast as can be; give the first answer to a question from after the end."""
            while True:
                over = done.is_set()
                answer = await http.get(f"/api/v1/orders/{ULID()}", headers=headers)
                assert answer.status_code in (404, 401)
                if over:
                    return answer.status_code

        async with second_worker(rig) as http:
            asking = [asyncio.create_task(ask_until_it_is_done(http)) for _ in range(4)]
            await asyncio.sleep(0.1)
            await rig.http.delete(f"{PATH}/{made['apiKey']['id']}", headers=manager(merchant))
            done.set()
            assert await asyncio.gather(*asking) == [401] * 4

    on_rig(database, act, ready=False)


def test_revoking_twice_is_revoking_once_and_a_revoked_key_gets_no_new_secret(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig, merchant: str) -> None:
        made = (await make(rig, merchant)).json()
        path = f"{PATH}/{made['apiKey']['id']}"
        revoked = await rig.http.delete(path, headers=manager(merchant))
        assert revoked.json()["revokedAt"] is not None
        assert revoked.json()["secrets"] == []
        assert await opens(rig, made["secret"]) == 401
        again = await rig.http.delete(path, headers=manager(merchant))
        assert again.json() == revoked.json()
        headers = manager(merchant, **{"Idempotency-Key": "k"})
        rotated = await rig.http.post(f"{path}/rotate", headers=headers)
        assert (rotated.status_code, rotated.json()["code"]) == (409, "KEY_REVOKED")

    on_rig(database, act, ready=False)


def test_a_configured_key_that_was_revoked_stays_so_when_the_service_starts_again(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig, merchant: str) -> None:
        (key,) = (await rig.http.get(PATH, headers=manager(merchant))).json()["data"]
        assert await opens(rig, rig.key) == 404
        await rig.http.delete(f"{PATH}/{key['id']}", headers=manager(merchant))
        async with open_service(rig.service.config, rig.node):
            pass
        assert await opens(rig, rig.key) == 401

    on_rig(database, act, ready=False)


def test_a_key_for_another_kind_of_chain_is_told_so(database: TestDatabase) -> None:
    async def act(rig: ServiceRig, _: str) -> None:
        live = new_key(livemode=True)
        answer = await rig.http.get(f"/api/v1/orders/{ULID()}", headers=rig.till(live))
        assert (answer.status_code, answer.json()["code"]) == (401, "WRONG_MODE")

    on_rig(database, act, ready=False)


def test_a_merchant_has_no_more_keys_than_it_may_and_no_key_makes_keys(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.keys.desk.KEYS_MAX", 2)

    async def act(rig: ServiceRig, merchant: str) -> None:
        assert (await make(rig, merchant)).status_code == 201
        full = await make(rig, merchant, key="full")
        assert (full.status_code, full.json()["code"]) == (409, "TOO_MANY_KEYS")
        again = await make(rig, merchant, key="full")
        assert (again.status_code, again.headers["idempotent-replayed"]) == (409, "true")
        by_key = await rig.http.post(PATH, json={}, headers=rig.till())
        assert (by_key.status_code, by_key.json()["code"]) == (403, "FORBIDDEN")
        bad = await make(rig, merchant, "orders:eat")
        assert bad.json()["errors"] == [{"pointer": "/scopes/0", "code": "UNKNOWN_VALUE"}]

    assert KEYS_MAX == 100
    on_rig(database, act, ready=False)


def test_an_epoch_is_asked_for_once_by_many_and_again_when_it_is_old(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        async with running_rig(database, ready=False) as rig:
            now = [100.0]
            known = epoch.Epoch(rig.service.engine, "keys", lambda: now[0])
            before = set(await asyncio.gather(*(known.current() for _ in range(20))))
            await rig.execute("UPDATE epochs SET value = value + 1")
            now[0] += epoch.TRUST_S - 0.01
            assert {await known.current()} == before
            now[0] += 0.02
            assert await known.current() == before.pop() + 1
            await rig.execute("ALTER TABLE epochs RENAME TO away")
            now[0] += epoch.TRUST_S
            with pytest.raises(Exception, match="epochs"):
                await known.current()
            await rig.execute("ALTER TABLE away RENAME TO epochs")
            assert await known.current() == 1

    asyncio.run(run())
