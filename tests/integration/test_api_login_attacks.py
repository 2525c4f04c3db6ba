"""Attacks on the ways in: guessing, copied and made-up tokens, other sites, shared codes."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from api.http.app import create_app
from api.people.refreshing import GRACE_MS
from tests.support.api.people_rig import PASSWORD, PeopleRig, play, post
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import Clocks
from tests.support.api.two_workers import two_workers

REFRESH = "__Host-billcoin_refresh"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def test_passwords_are_guessed_five_times_and_the_owner_s_browser_still_gets_in(
    database: TestDatabase,
) -> None:
    """A stranger who guesses shuts strangers out; an attack on a name locks no owner out."""

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        body = {"unionId": people.union_id, "loginName": member.login_name, "password": PASSWORD}
        assert (await member.browser.post("/api/v1/auth/login", json=body)).status_code == 200
        guesses = [{**body, "password": f"guess number {number}"} for number in range(8)]
        codes = [(await post(people.rig, "/auth/login", guess)).json()["code"] for guess in guesses]
        assert codes == ["LOGIN_REFUSED"] * 5 + ["LOCKED"] * 3
        assert (await post(people.rig, "/auth/login", body)).json()["code"] == "LOCKED"
        assert (await member.browser.post("/api/v1/auth/login", json=body)).status_code == 200
        stolen = member.browser.cookies["__Host-billcoin_device"]
        other = await people.member()
        other.browser.cookies.set("__Host-billcoin_device", stolen)
        at = {**body, "loginName": other.login_name}
        for _ in range(5):
            await other.browser.post("/api/v1/auth/login", json={**at, "password": "no"})
        shut = await post(people.rig, "/auth/login", at)
        assert shut.json()["code"] == "LOCKED", "a device of one login is a stranger at another"

    play(database, story)


def test_a_login_that_is_nobody_s_is_refused_counted_and_timed_like_any(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member, silent = await people.member(), await people.invited()

        async def tried(name: str) -> list[tuple[int, str, str]]:
            body = {"unionId": people.union_id, "loginName": name, "password": "no such thing"}
            told = []
            for _ in range(7):
                answer = await post(people.rig, "/auth/login", body)
                problem = answer.json()
                told.append((answer.status_code, problem["code"], problem["detail"]))
            return told

        known = await tried(member.login_name)
        assert known == await tried("nobody@mmu.example") == await tried(silent[0].login_name)

        async def median_s(name: str) -> float:
            times = []
            for number in range(9):
                body = {"unionId": people.union_id, "loginName": name, "password": f"no {number}"}
                clocks.wall_ahead_ms += 900_000
                began = time.perf_counter()
                await post(people.rig, "/auth/login", body)
                times.append(time.perf_counter() - began)
            return sorted(times)[4]

        slow, fast = sorted([await median_s(member.login_name), await median_s("nobody")])
        assert slow < 3 * fast, "both are hashed; a look-up alone takes a tenth of that"

    play(database, story)


def test_a_copied_refresh_token_ends_the_session_for_thief_and_owner(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        copied = member.browser.cookies[REFRESH]
        await member.browser.post("/api/v1/auth/refresh")
        clocks.wall_ahead_ms += GRACE_MS
        thief = people.browser()
        thief.cookies.set(REFRESH, copied)
        assert (await thief.post("/api/v1/auth/refresh")).json()["code"] == "SESSION_OVER"
        mine = await member.browser.post("/api/v1/auth/refresh")
        assert mine.json()["code"] == "SESSION_OVER"
        clocks.steady_ahead_s += 2.0
        assert (await member.call("GET", "/me")).json()["code"] == "SESSION_OVER"
        body = {"unionId": people.union_id, "loginName": member.login_name, "password": PASSWORD}
        entered = await member.browser.post("/api/v1/auth/login", json=body)
        member.token = entered.json()["accessToken"]
        told = [notice["kind"] for notice in (await member.ok("GET", "/me"))["notices"]]
        assert told == ["session_reused"]
        await thief.aclose()

    play(database, story)


def test_made_up_refresh_tokens_end_nobody_s_session(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        real = member.browser.cookies[REFRESH]
        union, session, secret, tag = real.split(".")
        thief = people.browser()
        for made_up in (
            f"{union}.{session}.{'A' * 43}.{tag}",
            f"{union}.{session}.{secret[::-1]}.{tag[::-1]}",
            f"{union}.{session}.{secret}",
            "x",
            real + "x",
        ):
            thief.cookies.set(REFRESH, made_up)
            assert (await thief.post("/api/v1/auth/refresh")).status_code == 401
            thief.cookies.clear()
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 200
        await thief.aclose()

    play(database, story)


def test_another_site_s_page_renews_and_ends_nothing(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        for site in ("cross-site", "same-site"):
            for path in ("refresh", "logout"):
                answer = await member.browser.post(
                    f"/api/v1/auth/{path}", headers={"Sec-Fetch-Site": site}
                )
                assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_SITE")
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 200

    play(database, story)


def test_one_code_lets_one_in_though_many_use_it_at_once(database: TestDatabase) -> None:
    async def run() -> None:
        async with two_workers(database) as (people, second):
            _, code = await people.invited()
            body = {"unionId": people.union_id, "code": code, "password": PASSWORD}
            answers = await asyncio.gather(
                *(post(worker, "/auth/activate", body) for worker in [people.rig, second] * 4)
            )
            statuses = sorted(answer.status_code for answer in answers)
            assert statuses == [200] + [401] * 7

    asyncio.run(run())


def test_a_suspended_person_s_token_is_refused_by_the_other_worker_too(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        async with two_workers(database) as (people, second):
            officer, member = await people.officer(), await people.member()
            headers = {"Authorization": f"Bearer {member.token}"}
            assert (await second.http.get("/api/v1/me", headers=headers)).status_code == 200
            await officer.ok("POST", f"/users/{member.id}/suspend")
            async with asyncio.timeout(5):
                seen = 200
                while seen != 403:
                    await asyncio.sleep(0.1)
                    seen = (await second.http.get("/api/v1/me", headers=headers)).status_code

    asyncio.run(run())


def test_the_app_of_a_worker_is_whole(database: TestDatabase) -> None:
    """Two workers of one service serve the same keys: a token of one is good at the other."""

    async def run() -> None:
        async with two_workers(database) as (people, second):
            member = await people.member()
            assert create_app(second.service).state.public_url == "https://milk.example"
            first = (await people.rig.http.get("/.well-known/jwks.json")).json()
            assert (await second.http.get("/.well-known/jwks.json")).json() == first
            headers = {"Authorization": f"Bearer {member.token}"}
            assert (await second.http.get("/api/v1/me", headers=headers)).status_code == 200

    asyncio.run(run())
