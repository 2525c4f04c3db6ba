"""The limit at the door: by address without a credential, by person with one, and truly told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from pydantic import ValidationError
from starlette.requests import Request

from api.access.principals import Anonymous, SignerKey
from api.access.roles import Role
from api.access.table import TABLE
from api.http.app import create_app
from api.http.resources import ROUTES
from api.limits.config import LimitsConfig
from api.limits.doorkeeper import PATIENCE_S, UNLIMITED_TAGS, Doorkeeper
from api.limits.windows import LimitAsk, Quota
from tests.support.api.callers import key, person, till
from tests.support.api.people_rig import PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig

FEW = {"limits": {"address_per_minute": 3, "campus_networks": ["198.51.100.0/24"]}}


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **changes: object
) -> None:
    async def run() -> None:
        async with running_rig(database, ready=False, **changes) as rig:
            await act(rig)

    asyncio.run(run())


@asynccontextmanager
async def come_from(rig: ServiceRig, host: str) -> AsyncIterator[httpx.AsyncClient]:
    """Ask from an address."""
    transport = httpx.ASGITransport(create_app(rig.service), client=(host, 1))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://milk.example", trust_env=False
    ) as http:
        yield http


async def statuses(
    rig: ServiceRig, host: str, count: int, path: str = "/api/v1/unions", credential: str = ""
) -> list[int]:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    async with come_from(rig, host) as http:
        return [(await http.get(path, headers=headers)).status_code for _ in range(count)]


def test_an_address_is_let_in_so_often_and_the_wait_that_is_told_is_true(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        async with come_from(rig, "203.0.113.5") as http:
            answers = [await http.get("/api/v1/unions") for _ in range(4)]
            assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
            assert answers[-1].json()["code"] == "RATE_LIMITED"
            wait_s = int(answers[-1].headers["retry-after"])
            rig.service.watching.limiter.ahead_ms = lambda: 1_000 * wait_s
            assert (await http.get("/api/v1/unions")).status_code == 200

    on_rig(database, act, **FEW)


def test_addresses_are_counted_apart_and_an_ipv6_customer_is_one(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        assert await statuses(rig, "203.0.113.5", 4) == [200, 200, 200, 429]
        assert await statuses(rig, "203.0.113.6", 3) == [200, 200, 200]
        seen = [(await statuses(rig, f"2001:db8::{n}", 1))[0] for n in range(1, 5)]
        assert seen == [200, 200, 200, 429]
        assert await statuses(rig, "2001:db8:0:1::1", 1) == [200]

    on_rig(database, act, **FEW)


@pytest.mark.parametrize(
    "credential",
    ["", "bck_test_" + "0" * 40, "bck_live_x", "eyJhbGciOiJFZERTQSJ9.e30.AAAA", "nonsense"],
)
def test_who_makes_credentials_up_or_has_none_is_counted_by_address(
    database: TestDatabase, credential: str
) -> None:
    async def act(rig: ServiceRig) -> None:
        seen = await statuses(rig, "203.0.113.5", 5, "/api/v1/payments", credential)
        assert seen == [401, 401, 401, 429, 429]
        assert await statuses(rig, "203.0.113.6", 1, "/api/v1/payments", credential) == [401]

    on_rig(database, act, **FEW)


def test_a_key_that_is_known_sells_on_beside_made_up_ones(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        assert (await statuses(rig, "203.0.113.5", 5, "/api/v1/events", "nonsense"))[-1] == 429
        assert set(await statuses(rig, "203.0.113.5", 5, "/api/v1/events", rig.key)) == {200}

    on_rig(database, act, **FEW)


def test_a_person_who_asks_where_they_may_not_is_counted(database: TestDatabase) -> None:
    async def story(people: PeopleRig, _: object) -> None:
        member = await people.member()
        answers = [await member.call("GET", "/request-log") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [403, 403, 403, 429]

    play(database, story, limits={"person_per_minute": 3})


def test_a_campus_is_many_people_behind_one_address(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        assert set(await statuses(rig, "198.51.100.7", 20)) == {200}

    on_rig(database, act, **FEW)


def test_this_machine_and_the_service_s_own_figures_have_no_limit(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        assert set(await statuses(rig, "127.0.0.1", 10)) == {200}
        for path in ("/healthz", "/metrics", "/errors", "/openapi.json"):
            assert set(await statuses(rig, "203.0.113.5", 5, path)) == {200}

    on_rig(database, act, **FEW)


def test_a_person_is_counted_wherever_they_are(database: TestDatabase) -> None:
    async def story(people: PeopleRig, _: object) -> None:
        member = await people.member()
        answers = [await member.call("GET", "/me") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]

    play(database, story, limits={"person_per_minute": 3})


def test_only_what_costs_nothing_is_without_a_limit() -> None:
    open_routes = {
        route.path
        for route in ROUTES
        if TABLE[route.method, route.path].anyone and route.tag in UNLIMITED_TAGS
    }
    assert open_routes == {
        "/healthz", "/readyz", "/metrics", "/errors", "/errors/{code}", "/openapi.json", "/docs",
        "/.well-known/jwks.json", "/", "/asyncapi.json", "/api/v1/status",
    }  # fmt: skip


def asked_from(host: str) -> Request:
    return Request({"type": "http", "headers": [], "client": (host, 1)})


async def refuse(ask: LimitAsk) -> Quota:
    raise AssertionError(ask)


def test_keys_tills_and_signers_are_not_counted_at_the_door() -> None:
    door = Doorkeeper(LimitsConfig(), refuse)
    for principal in (key(), till(), SignerKey(account=b"a")):
        assert door.ask_of(asked_from("203.0.113.5"), principal) is None
    counted = door.ask_of(asked_from("203.0.113.5"), Anonymous())
    assert counted == LimitAsk("address:203.0.113.5", 600)
    somebody = person(Role.STUDENT)
    assert door.ask_of(asked_from("203.0.113.5"), somebody) == LimitAsk("person:u", 600)


@pytest.mark.parametrize("away", [OSError("gone"), None])
def test_a_database_that_can_not_count_lets_requests_pass(away: Exception | None) -> None:
    async def count(ask: LimitAsk) -> Quota:
        if away is not None:
            raise away
        await asyncio.sleep(60 * PATIENCE_S)
        raise AssertionError(ask)

    door = Doorkeeper(LimitsConfig(), count)
    asyncio.run(door.pass_in(asked_from("203.0.113.5"), Anonymous(), "wallet"))


def test_what_is_no_network_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValidationError, match="no address or network"):
        LimitsConfig(campus_networks=("somewhere",))
