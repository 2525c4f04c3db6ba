"""Attacks from next door: another union's officer, text that is no text, and what logs show."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.access.roles import Role
from tests.support.api.people_rig import PASSWORD, PIN, PeopleRig, play, post
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import Clocks
from tests.unit.api.test_api_terminals import sign_in

WRONG = "582016"
REFRESH = "__Host-billcoin_refresh"
STATEMENTS = (
    "' OR '1'='1", "'; DROP TABLE users; --",
    "\\x00", "%00", "${jndi:ldap://x}", "a: b", "\x00", "a\nb",
)  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def test_an_officer_of_another_union_changes_nothing_here(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        admin = await people.member((Role.ADMIN, people.union_id))
        union = await admin.ok("POST", "/unions", {"name": "Mithila Milk Union"})
        stranger = await people.officer(union["id"])
        at = f"/merchants/{people.merchant_id}"
        assert (await stranger.call("PATCH", at, {"name": "Mine"})).status_code == 404
        mine = await stranger.call("PATCH", f"/unions/{people.union_id}", {"telephone": "1"})
        assert mine.status_code == 404
        roles = [{"role": "manager", "merchantId": people.merchant_id}]
        grab = await stranger.call("POST", "/users", {"name": "X", "roles": roles})
        assert grab.status_code == 404
        officer, second = await people.officer(), await people.officer()
        asked = await officer.ok("PATCH", f"/users/{second.id}", {"addRoles": [{"role": "farmer"}]})
        for verdict in ("approve", "reject"):
            path = f"/approvals/{asked['approvals'][0]}/{verdict}"
            assert (await stranger.call("POST", path)).status_code == 404
            named = await stranger.call("POST", f"{path}?unionId={people.union_id}")
            assert named.status_code == 404
        assert (await stranger.ok("GET", "/approvals"))["data"] == []

    play(database, story)


@pytest.mark.parametrize("text", STATEMENTS)
def test_what_people_type_is_text_and_nothing_else(database: TestDatabase, text: str) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        made = await officer.call("POST", "/users", {"name": text, "cardNumber": text})
        assert made.status_code in (201, 400)
        if made.status_code == 201:
            user = made.json()["user"]
            assert user["name"] == text
            found = await officer.browser.get(
                "/api/v1/users",
                params={"cardNumber": text},
                headers={"Authorization": f"Bearer {officer.token}"},
            )
            assert [one["id"] for one in found.json()["data"]] == [user["id"]]
        for body in (
            {"unionId": people.union_id, "loginName": text, "password": text},
            {"unionId": text, "loginName": "x", "password": "y"},
        ):
            assert (await post(people.rig, "/auth/login", body)).status_code in (400, 401)
        for path in ("%27%3B--", "%00", "%2e%2e%2f", "%F0%9F%A5%9B", officer.id + "%00"):
            assert (await officer.call("GET", f"/users/{path}")).status_code == 404

    play(database, story)


def test_no_log_line_holds_a_token_a_code_a_pin_or_a_name(
    database: TestDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        invited = await officer.ok("POST", "/users", {"name": "Zulaikha", "cardNumber": "C-31337"})
        code = invited["activationCode"]
        body = {"unionId": people.union_id, "code": code, "password": "short", "pin": PIN}
        await post(people.rig, "/auth/activate", body)
        await post(people.rig, "/auth/activate", {**body, "password": PASSWORD})
        await post(people.rig, "/auth/activate", body)
        await officer.call("GET", f"/users/{people.union_id}?cardNumber=C-31337")
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager)
        await sign_in(till, cashier, WRONG)
        browser = people.browser()
        browser.cookies.set(REFRESH, "made.up.cookie.value")
        await browser.post("/api/v1/auth/refresh")
        await browser.aclose()
        text = "".join(capsys.readouterr())
        assert "CODE_REFUSED" in text
        secrets = (
            code, PASSWORD, PIN, WRONG, "Zulaikha", "31337", officer.token, till.token,
            cashier.staff_code, "made.up.cookie", till.key.public.hex(),
        )  # fmt: skip
        assert not [secret for secret in secrets if secret in text]

    play(database, story)


def test_a_fault_of_the_database_shows_no_person_s_data(database: TestDatabase) -> None:
    """Its text goes to the log; a driver would put every parameter of the statement into it."""

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        with pytest.raises(SQLAlchemyError) as told:
            async with people.rig.service.engine.begin() as connection:
                await connection.execute(text("SELECT CAST(:name AS int)"), {"name": "Zulaikha"})
        assert "hidden" in str(told.value)
        assert "[parameters: ('Zulaikha'" not in str(told.value)

    play(database, story)


def test_a_refusal_names_the_office_of_the_union_that_it_concerns(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        admin = await people.member((Role.ADMIN, people.union_id))
        body = {"name": "Mithila Milk Union", "telephone": "+60 3 1"}
        union = await admin.ok("POST", "/unions", body)
        stranger = await people.member(union_id=union["id"])
        for answer in (
            await stranger.call("GET", "/users"),
            await post(
                people.rig,
                "/auth/login",
                {
                    "unionId": union["id"],
                    "loginName": "x",
                    "password": "y",
                },
            ),
        ):
            assert answer.json()["help"]["telephone"] == "+60 3 1", answer.text
        of_merchant = await people.rig.http.get("/api/v1/users", headers=people.rig.till())
        assert of_merchant.json()["help"]["union"] == "Dairy Union"
        nobody = await people.rig.http.get("/api/v1/users")
        assert "help" not in nobody.json(), "there are two, and it is not known which"

    play(database, story)
