"""Tills: paired with four digits, bound to a key, worked at with a PIN, covered by a manager's."""

import pytest

from api.db.session import in_transaction
from api.errors import Unprocessable
from api.terminals.cashiers import spend_step_up
from api.terminals.rules import SHIFT_MS
from tests.support.api.people_rig import PIN, Member, PeopleRig, TillUnderTest, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks

WRONG = "582016"


async def sign_in(till: TillUnderTest, member: Member, pin: str = PIN):
    """Type a staff code and a PIN at a till; it keeps the token that it is given."""
    body = {"staffCode": member.staff_code, "pin": pin}
    answer = await till.call("POST", "/cashier-sessions", body)
    if answer.is_success:
        till.token = answer.json()["accessToken"]
    return answer


def test_a_till_is_paired_and_a_cashier_works_at_it(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager)
        (listed,) = (await manager.ok("GET", "/terminals"))["data"]
        assert (listed["state"], listed["match"], listed["letter"]) == ("active", None, "A")
        begun = await sign_in(till, cashier)
        assert begun.status_code == 201
        assert "name" not in begun.text, "a till reads no people"
        assert (await till.call("GET", "/me")).status_code == 403
        clocks.wall_ahead_ms += 15 * 60_000
        assert (await till.call("DELETE", "/cashier-sessions")).json()["code"] == "TOKEN_EXPIRED"
        assert (await till.renew()).status_code == 200
        assert (await till.call("DELETE", "/cashier-sessions")).status_code == 204

    play(database, story)


def test_a_till_that_is_locked_or_revoked_is_out_within_two_seconds(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager)
        assert (await sign_in(till, cashier)).status_code == 201
        await manager.ok("POST", f"/terminals/{till.id}/lock")
        clocks.steady_ahead_s += 2.0
        out = await till.call("DELETE", "/cashier-sessions")
        assert (out.status_code, out.json()["code"]) == (423, "TERMINAL_LOCKED")
        assert out.json()["help"]["union"] == "Dairy Union"
        assert (await till.renew()).json()["code"] == "TERMINAL_LOCKED"
        await manager.ok("POST", f"/terminals/{till.id}/unlock")
        clocks.steady_ahead_s += 2.0
        assert (await till.call("DELETE", "/cashier-sessions")).json()["code"] == "TOKEN_OUTDATED"
        assert (await till.renew()).status_code == 200
        await manager.ok("POST", f"/terminals/{till.id}/revoke")
        clocks.steady_ahead_s += 2.0
        assert (await till.call("DELETE", "/cashier-sessions")).json()["code"] == "TERMINAL_REVOKED"
        again = await manager.call("POST", f"/terminals/{till.id}/unlock")
        assert again.status_code == 409

    play(database, story)


def test_a_cashier_who_is_suspended_or_none_any_more_is_nobody_at_the_till(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer, manager = await people.officer(), await people.manager()
        cashier, till = await people.cashier(), await people.till(manager)
        step_up = {"staffCode": manager.staff_code, "pin": PIN}
        for path, body, back in (
            ("/suspend", None, "/reactivate"),
            ("", {"removeRoles": ["cashier"]}, ""),
        ):
            assert (await sign_in(till, cashier)).status_code == 201
            assert (await till.call("POST", "/auth/step-up", step_up)).status_code == 200
            method = "POST" if path else "PATCH"
            await officer.ok(method, f"/users/{cashier.id}{path}", body)
            clocks.steady_ahead_s += 2.0
            nobody = await till.call("POST", "/auth/step-up", step_up)
            assert (nobody.status_code, nobody.json()["code"]) == (403, "NO_CASHIER")
            assert (await sign_in(till, cashier)).json()["code"] == "PIN_WRONG"
            if back:
                await officer.ok("POST", f"/users/{cashier.id}{back}")

    play(database, story)


def test_a_shift_is_over_after_sixteen_hours_and_one_ends_the_one_before(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager)
        first = (await sign_in(till, cashier)).json()["id"]
        second = (await sign_in(till, manager)).json()["id"]
        ended = await people.rig.scalar("SELECT id FROM cashier_sessions WHERE ended_ms > 0")
        assert (ended, first != second) == (first, True)
        clocks.wall_ahead_ms += SHIFT_MS
        clocks.steady_ahead_s += 2.0
        await till.renew()
        body = {"staffCode": manager.staff_code, "pin": PIN}
        assert (await till.call("POST", "/auth/step-up", body)).json()["code"] == "NO_CASHIER"

    play(database, story)


def test_a_manager_s_pin_covers_small_refunds_for_five_minutes(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager)
        await sign_in(till, cashier)
        mine = {"staffCode": cashier.staff_code, "pin": PIN}
        assert (await till.call("POST", "/auth/step-up", mine)).json()["code"] == "PIN_WRONG"
        body = {"staffCode": manager.staff_code, "pin": PIN}
        stepped = (await till.call("POST", "/auth/step-up", body)).json()
        assert (stepped["expiresIn"], stepped["eachMax"]) == (300, "50.00")
        desks, engine = people.rig.service.desks, people.rig.service.engine

        async def principal():
            return await desks.reader.principal_of(stepped["accessToken"], _Request())

        covered = await principal()
        assert covered.stepped_up_by == manager.id
        assert covered.cashier_id == cashier.id
        for sen, good in ((50_00, True), (50_01, False), (50_00, True), (50_00, True),
                          (50_00, True), (1, False)):  # fmt: skip
            if good:
                await in_transaction(engine, lambda c, sen=sen: spend_step_up(c, covered, sen))
                continue
            with pytest.raises(Unprocessable):
                await in_transaction(engine, lambda c, sen=sen: spend_step_up(c, covered, sen))
        clocks.wall_ahead_ms += 5 * 60_000
        till.token = stepped["accessToken"]
        assert (await till.call("DELETE", "/cashier-sessions")).json()["code"] == "TOKEN_EXPIRED"

    play(database, story)


class _Request:
    """As much of a request as a reader of credentials writes to."""

    class state:  # noqa: N801 - starlette's word
        union_id = ""


def test_wrong_pins_shut_a_code_out_and_a_manager_lets_it_in(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, cashier = await people.manager(), await people.cashier()
        till = await people.till(manager)
        for _ in range(5):
            assert (await sign_in(till, cashier, WRONG)).json()["code"] == "PIN_WRONG"
        shut = await sign_in(till, cashier)
        assert (shut.status_code, shut.json()["code"]) == (423, "LOCKED")
        assert shut.headers["retry-after"] == "900"
        clocks.wall_ahead_ms += 900_000
        await till.renew()
        for _ in range(5):
            assert (await sign_in(till, cashier, WRONG)).json()["code"] == "PIN_WRONG"
        clocks.wall_ahead_ms += 900_000
        await till.renew()
        assert (await sign_in(till, cashier)).json()["code"] == "BLOCKED_UNTIL_HELPED"
        assert (await manager.browser.post("/api/v1/auth/refresh")).status_code == 200
        fresh = await manager.browser.post("/api/v1/auth/refresh")
        manager.token = fresh.json()["accessToken"]
        await manager.ok("POST", f"/users/{cashier.id}/unblock")
        assert (await sign_in(till, cashier)).status_code == 201

    play(database, story)


def test_a_manager_unblocks_nobody_of_another_merchant(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        from api.access.roles import Role

        cashier = await people.cashier()
        other = await people.member((Role.MANAGER, people.other_merchant_id))
        student = await people.member()
        assert (await other.call("POST", f"/users/{cashier.id}/unblock")).status_code == 404
        assert (await other.call("POST", f"/users/{student.id}/unblock")).status_code == 404

    play(database, story)


def test_a_till_that_guesses_its_way_through_the_codes_locks_itself(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        till = await people.till(manager)
        codes = []
        for number in range(31):
            body = {"staffCode": f"9{number:04d}", "pin": WRONG}
            answer = await till.call("POST", "/cashier-sessions", body)
            codes.append(answer.json()["code"])
        assert codes == ["PIN_WRONG"] * 30 + ["TERMINAL_LOCKED"]
        assert (await manager.ok("GET", f"/terminals/{till.id}"))["state"] == "locked"
        await manager.ok("POST", f"/terminals/{till.id}/unlock")
        assert (await till.renew()).status_code == 200
        assert (await sign_in(till, manager)).status_code == 201

    play(database, story)
