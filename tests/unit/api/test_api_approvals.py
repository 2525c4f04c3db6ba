"""Four eyes: roles, rebinds and payout accounts take two people, and never one's own word."""

from api.access.roles import Role
from api.approvals.rules import DAY_MS, LIVES_MS
from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from tests.support.api.people_rig import PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks
from tests.unit.api.test_api_wallets import WALLETS, link, login

NEW_PAYOUT = format_address(address_of(SigningKey(Seed(b"\7" * 32)).public), "dbill")


async def decide(member, approval: str, verdict: str = "approve"):
    return await member.call("POST", f"/approvals/{approval}/{verdict}")


async def fresh(*members) -> None:
    """Renew tokens after a jump in time."""
    for member in members:
        entered = await member.browser.post("/api/v1/auth/refresh")
        if entered.status_code != 200:
            body = {
                "unionId": member.union_id,
                "loginName": member.login_name,
                "password": "tiga ekor lembu putih",
            }
            entered = await member.browser.post("/api/v1/auth/login", json=body)
        member.token = entered.json()["accessToken"]


def test_a_role_of_staff_takes_a_second_officer(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        roles = [{"role": "cashier", "merchantId": people.merchant_id}]
        invited = await first.ok("POST", "/users", {"name": "Siti", "roles": roles})
        (approval,) = invited["approvals"]
        assert [held["role"] for held in invited["user"]["roles"]] == ["student"]
        own = await decide(first, approval)
        assert (own.status_code, own.json()["code"]) == (403, "NOT_YOURS_TO_DECIDE")
        done = (await decide(second, approval)).json()
        assert (done["state"], done["decidedBy"]) == ("applied", second.id)
        user = await first.ok("GET", f"/users/{invited['user']['id']}")
        assert {"role": "cashier", "merchantId": people.merchant_id} in user["roles"]
        assert len(user["staffCode"]) == 5
        assert (await decide(second, approval)).status_code == 409

    play(database, story)


def test_nobody_approves_what_favours_themselves(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        asked = await first.ok("PATCH", f"/users/{second.id}", {"addRoles": [{"role": "admin"}]})
        (approval,) = asked["approvals"]
        assert (await decide(second, approval)).status_code == 403
        assert (await decide(second, approval, "reject")).json()["state"] == "rejected"

    play(database, story)


def test_a_role_at_a_place_that_makes_no_sense_is_refused(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        for wish in (
            {"role": "cashier"},
            {"role": "union_officer", "merchantId": people.merchant_id},
        ):
            answer = await officer.call("POST", "/users", {"name": "Siti", "roles": [wish]})
            assert (answer.status_code, answer.json()["code"]) == (422, "WRONG_PLACE")
            assert answer.json()["errors"] == [{"pointer": "/roles/0", "code": "WRONG_PLACE"}]
        nowhere = {"role": "cashier", "merchantId": officer.id}
        answer = await officer.call("POST", "/users", {"name": "Siti", "roles": [nowhere]})
        assert answer.status_code == 404
        assert len((await officer.ok("GET", "/users"))["data"]) == 1, "nobody was written down"

    play(database, story)


def test_a_payout_account_changes_after_a_day_by_two_people(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        at = f"/merchants/{people.merchant_id}"
        before = (await first.ok("GET", at))["payoutAddress"]
        changed = await first.ok("PATCH", at, {"payoutAddress": NEW_PAYOUT, "name": "Kiosk 1"})
        assert changed["merchant"]["name"] == "Kiosk 1"
        assert changed["merchant"]["payoutAddress"] == before
        twice = await first.call("PATCH", at, {"payoutAddress": NEW_PAYOUT})
        assert (twice.status_code, twice.json()["code"]) == (409, "APPROVAL_WAITING")
        assert (await decide(second, changed["approvalId"])).json()["state"] == "approved"
        desks = people.rig.service.desks
        clocks.wall_ahead_ms += DAY_MS - 60_000
        await desks.sweep()
        assert (await people.rig.http.get(f"/api/v1{at}")).json()["payoutAddress"] == before
        clocks.wall_ahead_ms += 60_000
        await desks.sweep()
        assert (await people.rig.http.get(f"/api/v1{at}")).json()["payoutAddress"] == NEW_PAYOUT
        await fresh(second)
        listed = (await second.ok("GET", "/approvals?state=applied"))["data"]
        assert [approval["id"] for approval in listed] == [changed["approvalId"]]

    play(database, story)


def test_a_change_that_waits_can_be_stopped_until_its_hour(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        finance = await people.member((Role.FINANCE, people.merchant_id))
        elsewhere = await people.member((Role.FINANCE, people.other_merchant_id))
        at = f"/merchants/{people.merchant_id}"
        approval = (await first.ok("PATCH", at, {"payoutAddress": NEW_PAYOUT}))["approvalId"]
        assert (await decide(elsewhere, approval)).status_code == 403
        assert (await elsewhere.ok("GET", "/approvals"))["data"] == []
        assert len((await finance.ok("GET", "/approvals"))["data"]) == 1
        assert (await decide(finance, approval)).json()["state"] == "approved"
        assert (await decide(second, approval, "reject")).json()["state"] == "rejected"
        clocks.wall_ahead_ms += DAY_MS
        await people.rig.service.desks.sweep()
        assert (await people.rig.http.get(f"/api/v1{at}")).json()["payoutAddress"] != NEW_PAYOUT

    play(database, story)


def test_a_wish_that_nobody_answers_expires(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        at = f"/merchants/{people.merchant_id}"
        approval = (await first.ok("PATCH", at, {"payoutAddress": NEW_PAYOUT}))["approvalId"]
        clocks.wall_ahead_ms += LIVES_MS
        await fresh(first, second)
        assert (await decide(second, approval)).status_code == 409
        (shown,) = (await second.ok("GET", "/approvals"))["data"]
        assert shown["state"] == "expired"
        again = await first.call("PATCH", at, {"payoutAddress": NEW_PAYOUT})
        assert again.status_code == 200, "what has expired stands in nobody's way"

    play(database, story)


def test_a_rebind_takes_two_officers_and_a_day_and_tells_the_old_device(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        member = await people.member()
        await link(member, WALLETS[0])
        asked = await first.ok("POST", f"/users/{member.id}/wallet-rebind")
        assert asked["state"] == "pending"
        me = await member.ok("GET", "/me")
        assert me["walletRebind"]["approvalId"] == asked["id"]
        assert "rebind_asked" in [notice["kind"] for notice in me["notices"]]
        assert (await decide(first, asked["id"])).status_code == 403
        assert (await decide(second, asked["id"])).json()["state"] == "approved"
        clocks.wall_ahead_ms += DAY_MS - 1_000
        await people.rig.service.desks.sweep()
        assert (await login(people, WALLETS[0])).status_code == 200
        clocks.wall_ahead_ms += 1_000
        await people.rig.service.desks.sweep()
        assert (await login(people, WALLETS[0])).status_code == 401
        assert (await member.browser.post("/api/v1/auth/refresh")).status_code == 401
        await fresh(first)
        invited = await first.ok("POST", f"/users/{member.id}/reinvite")
        body = {"unionId": people.union_id, "code": invited["activationCode"]}
        entered = await member.browser.post("/api/v1/auth/activate", json=body)
        member.token = entered.json()["accessToken"]
        assert (await link(member, WALLETS[1])).json()["state"] == "active"
        assert entered.json()["user"]["id"] == member.id, "the account is the same one"

    play(database, story)


def test_whoever_is_not_at_the_office_for_it_stops_a_rebind(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        member, stranger = await people.member(), await people.member()
        await link(member, WALLETS[0])
        asked = (await first.ok("POST", f"/users/{member.id}/wallet-rebind"))["id"]
        await decide(second, asked)
        assert (await decide(stranger, asked, "reject")).status_code == 403
        assert (await decide(member, asked, "reject")).json()["state"] == "rejected"
        clocks.wall_ahead_ms += DAY_MS
        await people.rig.service.desks.sweep()
        assert (await login(people, WALLETS[0])).status_code == 200

    play(database, story)
