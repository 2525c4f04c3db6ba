"""Budgets: what a union gives away has a limit, and to loosen one takes two people."""

import asyncio

from api.access.roles import Role
from api.budgets.model import WINDOW_MS, Budget, BudgetPurpose, is_tighter
from tests.support.api.people_rig import Member, PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks
from tests.support.api.wallet_proofs import link
from tests.support.node.fake_node import signing_key
from tests.unit.api.test_api_wallets import login

FLOAT = "ab" * 32


async def limited(officer: Member, purpose: str, limit: str | None) -> dict[str, object]:
    return dict(await officer.ok("PUT", f"/budgets/{purpose}", {"limit": limit}))


async def loosened(
    first: Member, second: Member, purpose: str, limit: str | None
) -> dict[str, object]:
    asked = await limited(first, purpose, limit)
    own = await first.call("POST", f"/approvals/{asked['approvalId']}/approve")
    assert own.status_code == 403, "not alone"
    return dict(await second.ok("POST", f"/approvals/{asked['approvalId']}/approve"))


async def budgets(member: Member) -> dict[str, dict[str, object]]:
    return {one["purpose"]: one for one in (await member.ok("GET", "/budgets"))["data"]}


def campaign(people: PeopleRig, *students: Member) -> dict[str, object]:
    return {
        "name": "School milk",
        "merchantId": people.merchant_id,
        "productId": "whole-200",
        "fundedBy": "union",
        "userIds": [student.id for student in students],
    }


def test_a_limit_is_tightened_by_one_and_loosened_by_two(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.officer(), await people.officer()
        none = await budgets(first)
        assert none["coupons"] == {
            "purpose": "coupons", "currency": "MYR", "limit": None, "spent": "0.00", "left": None,
        }  # fmt: skip
        tight = await limited(first, "coupons", "10.00")
        assert (tight["approvalId"], tight["budget"]["limit"]) == (None, "10.00")
        assert (await limited(first, "coupons", "10.00"))["approvalId"] is None
        assert (await limited(first, "coupons", "5"))["budget"]["limit"] == "5.00"
        asked = await limited(first, "coupons", "6.00")
        assert (asked["budget"]["limit"], asked["approvalId"] is None) == ("5.00", False)
        assert (await loosened(first, second, "coupons", "7.00"))["state"] == "applied"
        assert (await budgets(second))["coupons"]["limit"] == "7.00"
        assert (await loosened(first, second, "coupons", None))["state"] == "applied"
        assert (await budgets(second))["coupons"]["limit"] is None

    play(database, story)


def test_campaigns_give_no_more_than_the_budget_in_any_thirty_days(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        students = [await people.member() for _ in range(3)]
        await limited(officer, "coupons", "3.60")
        over = await officer.call("POST", "/coupon-campaigns", campaign(people, *students))
        assert (over.status_code, over.json()["code"]) == (409, "BUDGET_USED")
        assert await people.rig.scalar("SELECT count(*) FROM coupons") == 0
        await officer.ok("POST", "/coupon-campaigns", campaign(people, *students[:2]))
        told = (await budgets(officer))["coupons"]
        assert (told["spent"], told["left"]) == ("3.60", "0.00")
        full = await officer.call("POST", "/coupon-campaigns", campaign(people, students[2]))
        assert full.json()["code"] == "BUDGET_USED"
        await people.rig.execute(
            "UPDATE coupons SET state = 'revoked' WHERE id = (SELECT min(id) FROM coupons)"
        )
        assert (await budgets(officer))["coupons"]["left"] == "1.80", (
            "what is taken back counts not"
        )
        await officer.ok("POST", "/coupon-campaigns", campaign(people, students[2]))
        await people.rig.execute(f"UPDATE coupons SET issued_ms = issued_ms - {WINDOW_MS}")
        assert (await budgets(officer))["coupons"]["spent"] == "0.00", "any thirty days"

    play(database, story)


def test_two_campaigns_at_once_spend_one_budget_once(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        students = [await people.member() for _ in range(2)]
        await limited(officer, "coupons", "1.80")
        answers = await asyncio.gather(
            *(
                officer.call("POST", "/coupon-campaigns", campaign(people, student))
                for student in students
            )
        )
        assert sorted(answer.status_code for answer in answers) == [201, 409]

    play(database, story)


def test_who_links_a_wallet_past_the_budget_is_linked_and_not_welcomed(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        await people.rig.execute(f"UPDATE unions SET float_account = '\\x{FLOAT}'")
        officer = await people.officer()
        await limited(officer, "welcomes", "0.01")
        for name in ("one", "two"):
            student = await people.member()
            linked = await link(student, signing_key(name))
            assert linked.status_code == 200, linked.text
        assert await people.rig.scalar("SELECT count(*) FROM welcomes") == 1
        told = (await budgets(officer))["welcomes"]
        assert (told["currency"], told["spent"], told["left"]) == ("BILL", "0.010000", "0.000000")
        await people.rig.execute("UPDATE welcomes SET state = 'failed'")
        assert (await budgets(officer))["welcomes"]["spent"] == "0.000000", "nothing was sent"

    play(database, story)


def test_a_welcome_that_is_asked_for_anew_counts_in_the_days_in_which_it_is(
    database: TestDatabase,
) -> None:
    long_ago = f"""
        UPDATE welcomes SET state = 'failed', ended_ms = 1, created_ms = created_ms - {WINDOW_MS}
    """

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        await people.rig.execute(f"UPDATE unions SET float_account = '\\x{FLOAT}'")
        officer = await people.officer()
        students = [await people.member() for _ in range(2)]
        for name, student in zip("ab", students, strict=True):
            assert (await link(student, signing_key(f"first {name}"))).status_code == 200
        await people.rig.execute(long_ago)
        await limited(officer, "welcomes", "0.01")
        for name, student in zip("ab", students, strict=True):
            student.token = (await login(people, signing_key(f"first {name}"))).json()[
                "accessToken"
            ]
            assert (await link(student, signing_key(f"next {name}"))).status_code == 200
        asked = "SELECT count(*) FROM welcomes WHERE state = 'pending'"
        assert await people.rig.scalar(asked) == 1, "the budget holds one"
        assert (await budgets(officer))["welcomes"]["spent"] == "0.010000"

    play(database, story)


def test_what_is_no_budget_or_no_amount_is_refused(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        for purpose, body, status in (
            ("coupons", {"limit": "1.801"}, 400),
            ("coupons", {"limit": "-1"}, 400),
            ("welcomes", {"limit": "0.0000001"}, 400),
            ("welcomes", {}, 400),
            ("welcomes", {"limit": 0}, 400),
            ("welcomes", {"limit": "1", "days": 30}, 400),
            ("parties", {"limit": "1"}, 404),
        ):
            answer = await officer.call("PUT", f"/budgets/{purpose}", body)
            assert answer.status_code == status, (purpose, body, answer.text)
        finance = await people.member((Role.FINANCE, people.union_id))
        assert set(await budgets(finance)) == {"welcomes", "coupons"}
        assert (await finance.call("PUT", "/budgets/coupons", {"limit": "1"})).status_code == 403

    play(database, story)


def test_a_limit_that_leaves_no_more_than_before_is_tighter() -> None:
    assert is_tighter(None, 5)
    assert is_tighter(None, None)
    assert is_tighter(5, 5)
    assert is_tighter(5, 0)
    assert not is_tighter(5, 6)
    assert not is_tighter(0, None)
    spent = Budget(union_id="u", purpose=BudgetPurpose.COUPONS, limit=5, spent=9)
    assert (spent.left, spent.has_room_for(0), spent.has_room_for(1)) == (0, True, False)
