"""Invitation, activation, login, refresh, logout: over HTTP and a real database."""

import asyncio

from api.people.refreshing import GRACE_MS
from tests.support.api.people_rig import PASSWORD, PIN, PeopleRig, people_of, play, post
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, running_rig

REFRESH = "__Host-billcoin_refresh"


def test_the_office_invites_and_the_person_activates_once(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        body = {"name": "Siti", "cardNumber": "MMU-1", "loginName": "siti@mmu.example"}
        invited = await officer.ok("POST", "/users", body)
        assert invited["user"]["state"] == "invited"
        assert invited["user"]["roles"] == [{"role": "student", "merchantId": None}]
        assert invited["activationUrl"].startswith("https://milk.example/activate#union=")
        code = {"unionId": people.union_id, "code": invited["activationCode"].lower()}
        browser = people.browser()
        entered = await browser.post("/api/v1/auth/activate", json={**code, "password": PASSWORD})
        assert entered.status_code == 200
        told = entered.json()
        assert (told["tokenType"], told["expiresIn"]) == ("Bearer", 900)
        assert told["user"]["state"] == "active"
        cookie = entered.headers["set-cookie"]
        for word in (REFRESH, "HttpOnly", "SameSite=strict", "Secure", "Path=/"):
            assert word in cookie
        assert "Domain" not in cookie
        again = await browser.post("/api/v1/auth/activate", json=code)
        assert (again.status_code, again.json()["code"]) == (401, "CODE_REFUSED")
        await browser.aclose()

    play(database, story)


def test_an_invitation_is_over_after_seven_days_and_when_a_new_one_is_given(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        user = (await officer.ok("POST", "/users", {"name": "Siti"}))["user"]["id"]
        first = await officer.ok("POST", f"/users/{user}/reinvite")
        second = await officer.ok("POST", f"/users/{user}/reinvite")
        old = {"unionId": people.union_id, "code": first["activationCode"]}
        assert (await post(people.rig, "/auth/activate", old)).status_code == 401
        clocks.wall_ahead_ms += 7 * 86_400_000
        late = {"unionId": people.union_id, "code": second["activationCode"]}
        assert (await post(people.rig, "/auth/activate", late)).status_code == 401

    play(database, story)


def test_a_password_lets_in_however_the_login_is_typed(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        body = {
            "unionId": people.union_id,
            "loginName": f" {member.login_name.upper()} ",
            "password": PASSWORD,
        }
        entered = await member.browser.post("/api/v1/auth/login", json=body)
        assert entered.status_code == 200
        wrong = await member.browser.post("/api/v1/auth/login", json={**body, "password": "no"})
        assert (wrong.status_code, wrong.json()["code"]) == (401, "LOGIN_REFUSED")

    play(database, story)


def test_a_weak_password_or_pin_is_refused_and_uses_no_code_up(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        _, code = await people.invited(name="Aminah Zulkifli")
        body = {"unionId": people.union_id, "code": code}
        for weak, told in (
            ({"password": "aminah zulkifli"}, "PASSWORD_REFUSED"),
            ({"password": PASSWORD, "pin": "123456"}, "PIN_REFUSED"),
        ):
            answer = await post(people.rig, "/auth/activate", {**body, **weak})
            assert (answer.status_code, answer.json()["code"]) == (422, told)
        good = {**body, "password": PASSWORD, "pin": PIN}
        assert (await post(people.rig, "/auth/activate", good)).status_code == 200

    play(database, story)


def test_refreshing_rotates_and_says_the_same_again_for_half_a_minute(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        first = member.browser.cookies[REFRESH]
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 200
        second = member.browser.cookies[REFRESH]
        assert second != first
        member.browser.cookies.set(REFRESH, first, domain="milk.example")
        clocks.wall_ahead_ms += GRACE_MS - 5_000
        other = people.browser()
        other.cookies.set(REFRESH, first)
        assert (await other.post("/api/v1/auth/refresh")).status_code == 200
        assert other.cookies.get(REFRESH, domain="milk.example") == second
        await other.aclose()

    play(database, story)


def test_logging_out_ends_the_session_for_token_and_cookie(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        cookie = member.browser.cookies[REFRESH]
        assert (await member.browser.post("/api/v1/auth/logout")).status_code == 204
        assert REFRESH not in member.browser.cookies
        clocks.steady_ahead_s += 2.0
        assert (await member.call("GET", "/me")).status_code == 401
        member.browser.cookies.set(REFRESH, cookie)
        again = await member.browser.post("/api/v1/auth/refresh")
        assert (again.status_code, again.json()["code"]) == (401, "SESSION_OVER")

    play(database, story)


def test_a_token_lives_for_fifteen_minutes_and_a_session_as_long_as_its_kind(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        body = {
            "unionId": people.union_id, "loginName": member.login_name, "password": PASSWORD,
        }  # fmt: skip
        entered = await member.browser.post("/api/v1/auth/login", json=body)
        member.token = entered.json()["accessToken"]
        assert (await member.call("GET", "/me")).status_code == 200
        clocks.wall_ahead_ms += 15 * 60_000
        over = await member.call("GET", "/me")
        assert (over.status_code, over.json()["code"]) == (401, "TOKEN_EXPIRED")
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 200
        clocks.wall_ahead_ms += 12 * 3_600_000
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 401

    play(database, story)


def test_keys_turn_while_the_service_runs(database: TestDatabase, tmp_path) -> None:
    from api.vault.files import make_secrets, turn_ring

    async def run() -> None:
        clocks, held = Clocks(), make_secrets(tmp_path)
        async with running_rig(database, clocks=clocks, secrets=held) as rig:
            people = await people_of(rig)
            member = await people.member()
            turn_ring(tmp_path, "jwt", keep=1)
            clocks.wall_ahead_ms += 1_000
            assert (await member.call("GET", "/me")).status_code == 200
            jwks = (await rig.http.get("/.well-known/jwks.json")).json()
            assert len(jwks["keys"]) == 2
            renewed = await member.browser.post("/api/v1/auth/refresh")
            new = renewed.json()["accessToken"]
            assert new.split(".")[0] != member.token.split(".")[0], "the newest key signs"
            turn_ring(tmp_path, "jwt", keep=1)
            clocks.wall_ahead_ms += 1_000
            assert (await member.call("GET", "/me")).status_code == 401, "its key is gone"
            member.token = new
            assert (await member.call("GET", "/me")).status_code == 200
            await people.close()

    asyncio.run(run())


def test_a_pin_is_set_anew_by_who_knows_the_password(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        new = {"pin": "582016"}
        bare = await cashier.call("PUT", "/me/pin", new)
        assert (bare.status_code, bare.json()["code"]) == (403, "PASSWORD_WRONG")
        weak = await cashier.call("PUT", "/me/pin", {"pin": "121212", "password": PASSWORD})
        assert (weak.status_code, weak.json()["code"]) == (422, "PIN_REFUSED")
        done = await cashier.call("PUT", "/me/pin", {**new, "password": PASSWORD})
        assert done.status_code == 204
        till = await people.till(manager)
        body = {"staffCode": cashier.staff_code}
        old = await till.call("POST", "/cashier-sessions", {**body, "pin": PIN})
        assert old.json()["code"] == "PIN_WRONG"
        assert (await till.call("POST", "/cashier-sessions", {**body, **new})).status_code == 201
        me = await cashier.ok("GET", "/me")
        assert (me["hasPassword"], me["hasPin"]) == (True, True)
        assert me["staffCode"] == cashier.staff_code

    play(database, story)


def test_whoever_sits_at_an_open_browser_guesses_the_password_five_times(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        codes = []
        for number in range(6):
            body = {"password": "lima kambing di bukit", "current": f"guess {number}"}
            codes.append((await member.call("PUT", "/me/password", body)).json()["code"])
        assert codes == ["PASSWORD_WRONG"] * 5 + ["LOCKED"]
        weak = {"password": "password1234", "current": PASSWORD}
        clocks.wall_ahead_ms += 15 * 60_000
        member.token = (await member.browser.post("/api/v1/auth/refresh")).json()["accessToken"]
        answer = await member.call("PUT", "/me/password", weak)
        assert (answer.status_code, answer.json()["code"]) == (422, "PASSWORD_REFUSED")

    play(database, story)


def test_a_person_without_a_password_sets_one(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member, code = await people.invited()
        body = {"unionId": people.union_id, "code": code}
        entered = await member.browser.post("/api/v1/auth/activate", json=body)
        member.token = entered.json()["accessToken"]
        login = {"loginName": member.login_name, "unionId": people.union_id}
        none = await post(people.rig, "/auth/login", {**login, "password": PASSWORD})
        assert none.json()["code"] == "LOGIN_REFUSED"
        assert (await member.call("PUT", "/me/password", {"password": PASSWORD})).status_code == 204
        good = await post(people.rig, "/auth/login", {**login, "password": PASSWORD})
        assert good.status_code == 200

    play(database, story)


def test_a_login_is_by_password_or_by_wallet_and_a_challenge_for_one_key(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        at = {"unionId": people.union_id}
        for body in (at, {**at, "loginName": "x"}, {**at, "password": "x"}):
            answer = await post(people.rig, "/auth/login", body)
            assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_REQUEST")
        for body in ({}, {**at, "terminalId": people.union_id}):
            answer = await post(people.rig, "/auth/challenges", body)
            assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_REQUEST")

    play(database, story)
