"""What the office does: find, correct, suspend, answer tickets; and what its database shows."""

from api.access.roles import Role
from tests.support.api.people_rig import PASSWORD, PeopleRig, play, post
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks


def test_people_are_found_by_card_and_login_and_shown_to_their_own_office_alone(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        siti = await officer.ok("POST", "/users", {"name": "Siti", "cardNumber": "MMU-77"})
        found = await officer.ok("GET", "/users?cardNumber=%20mmu-77")
        assert [user["name"] for user in found["data"]] == ["Siti"]
        same = await officer.call("POST", "/users", {"name": "Other", "cardNumber": "mmu-77"})
        assert (same.status_code, same.json()["code"]) == (409, "ALREADY_KNOWN")
        page = await officer.ok("GET", "/users?limit=1")
        assert page["hasMore"]
        rest = await officer.ok("GET", f"/users?limit=50&cursor={page['nextCursor']}")
        ids = [user["id"] for user in page["data"] + rest["data"]]
        assert len(ids) == len(set(ids)) == 2
        changed = await officer.ok("PATCH", f"/users/{siti['user']['id']}", {"name": "Siti A."})
        assert changed["user"]["name"] == "Siti A."
        assert changed["user"]["cardNumber"] == "MMU-77"

    play(database, story)


def test_a_suspended_person_is_out_within_two_seconds_and_told_whom_to_ask(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer, member = await people.officer(), await people.member()
        await member.ok("GET", "/me")
        await officer.ok("POST", f"/users/{member.id}/suspend")
        clocks.steady_ahead_s += 2.0
        out = await member.call("GET", "/me")
        assert (out.status_code, out.json()["code"]) == (403, "ACCOUNT_SUSPENDED")
        assert out.json()["help"]["union"] == "Dairy Union"
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 401
        body = {
            "unionId": people.union_id, "loginName": member.login_name, "password": PASSWORD,
        }  # fmt: skip
        shut = await member.browser.post("/api/v1/auth/login", json=body)
        assert (shut.status_code, shut.json()["code"]) == (403, "ACCOUNT_SUSPENDED")
        await officer.ok("POST", f"/users/{member.id}/reactivate")
        assert (await member.browser.post("/api/v1/auth/login", json=body)).status_code == 200
        own = await officer.call("POST", f"/users/{officer.id}/suspend")
        assert own.json()["code"] == "ONES_OWN"

    play(database, story)


def test_a_new_password_takes_the_old_one_and_ends_other_devices(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        body = {
            "unionId": people.union_id, "loginName": member.login_name, "password": PASSWORD,
        }  # fmt: skip
        elsewhere = people.browser()
        assert (await elsewhere.post("/api/v1/auth/login", json=body)).status_code == 200
        new = {"password": "lima kambing di bukit"}
        bare = await member.call("PUT", "/me/password", new)
        assert (bare.status_code, bare.json()["code"]) == (403, "PASSWORD_WRONG")
        answer = await member.call("PUT", "/me/password", {**new, "current": PASSWORD})
        assert answer.status_code == 204
        assert (await elsewhere.post("/api/v1/auth/refresh")).status_code == 401
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 200
        assert (await elsewhere.post("/api/v1/auth/login", json=body)).status_code == 401
        await elsewhere.aclose()

    play(database, story)


def test_who_can_t_get_in_has_a_ticket_at_the_office(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        body = {"unionId": people.union_id, "name": "Siti", "message": "lost my telephone"}
        answer = await post(people.rig, "/auth/recovery-requests", body)
        assert answer.status_code == 202
        assert answer.json()["help"]["union"] == "Dairy Union"
        (ticket,) = (await officer.ok("GET", "/recovery-requests"))["data"]
        assert (ticket["name"], ticket["id"]) == ("Siti", answer.json()["ticket"])
        await officer.ok("POST", f"/recovery-requests/{ticket['id']}/close")
        assert (await officer.ok("GET", "/recovery-requests"))["data"] == []
        again = await officer.call("POST", f"/recovery-requests/{ticket['id']}/close")
        assert again.status_code == 404
        told = await people.rig.scalar("SELECT told FROM recovery_requests")
        assert b"telephone" not in bytes(told)

    play(database, story)


def test_no_column_holds_a_name_a_card_or_a_login_in_the_clear(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        body = {"name": "Zulaikha", "cardNumber": "MMU-31337", "loginName": "zulaikha@mmu.my"}
        await officer.ok("POST", "/users", body)
        tables = await people.rig.scalar(
            "SELECT string_agg(tablename, ',') FROM pg_tables WHERE schemaname = 'public'"
        )
        for table in str(tables).split(","):
            rows = await people.rig.scalar(f"SELECT string_agg(t::text, '|') FROM \"{table}\" t")
            text = str(rows).lower()
            for word in ("zulaikha", "31337"):
                assert word not in text, table
                assert word.encode().hex() not in text, table

    play(database, story)


def test_an_officer_knows_nobody_of_another_union(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        admin = await people.member((Role.ADMIN, people.union_id))
        union = await admin.ok("POST", "/unions", {"name": "Mithila Milk Union"})
        stranger = await people.officer(union["id"])
        member = await people.member()
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"name": "X"}),
            ("POST", "/suspend", None),
            ("POST", "/reinvite", None),
            ("POST", "/wallet-rebind", None),
            ("POST", "/unblock", None),
        ):
            answer = await stranger.call(method, f"/users/{member.id}{path}", body)
            assert answer.status_code == 404, (method, path)
        listed = await stranger.ok("GET", "/users")
        assert [user["id"] for user in listed["data"]] == [stranger.id]
        other = await stranger.call("POST", "/users", {"name": "Y", "unionId": people.union_id})
        assert other.status_code == 404
        named = await admin.ok("POST", "/users", {"name": "Y", "unionId": union["id"]})
        assert named["user"]["unionId"] == union["id"]

    play(database, story)


def test_what_is_over_is_forgotten_and_what_a_person_must_lift_is_not(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, student = await people.manager(), await people.member()
        await manager.ok("POST", "/terminals", {"label": "Never paired"})
        till = await people.till(manager)
        await student.ok("POST", "/me/wallet-links")
        for code in [manager.staff_code] * 10 + ["90000"]:
            body = {"staffCode": code, "pin": "582016"}
            assert (await till.call("POST", "/cashier-sessions", body)).status_code == 403
            clocks.wall_ahead_ms += 15 * 60_000
            await till.renew()
        desks, scalar = people.rig.service.desks, people.rig.scalar
        clocks.wall_ahead_ms += 3 * 86_400_000
        await desks.sweep()
        assert await scalar("SELECT count(*) FROM terminals") == 1
        assert await scalar("SELECT count(*) FROM wallet_links") == 0
        assert await scalar("SELECT count(*) FROM spent_nonces") == 0
        kept = await scalar("SELECT string_agg(subject, ' ' ORDER BY subject) FROM miss_tallies")
        assert kept == f"pin:{manager.staff_code} till:{till.id}"
        assert await scalar("SELECT count(*) FROM sessions") == 2
        clocks.wall_ahead_ms += 31 * 86_400_000
        await desks.sweep()
        assert await scalar("SELECT count(*) FROM sessions") == 0

    play(database, story)
