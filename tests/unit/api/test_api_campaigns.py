"""Campaigns as those see them who keep a union's books: what was given, and what was used."""

import pytest

from api.access.roles import Role
from tests.support.api.cash import LITRE
from tests.support.api.loyal_people import coupons, played, student
from tests.support.api.people_rig import PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.node.fake_node import CUSTOMER
from tests.unit.api.test_api_budgets import campaign

PATH = "/coupon-campaigns"


def test_the_office_and_finance_see_campaigns_and_nobody_else(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: object) -> None:
        officer, holder = await people.officer(), await people.member()
        finance = await people.member((Role.FINANCE, people.union_id))
        begun = [
            await officer.ok("POST", PATH, campaign(people, holder) | {"name": name})
            for name in ("First", "Second", "Third")
        ]
        assert (begun[0]["issued"], begun[0]["used"]) == (1, 0)
        for member in (officer, finance):
            page = await member.ok("GET", f"{PATH}?limit=2")
            rest = await member.ok("GET", f"{PATH}?limit=2&cursor={page['nextCursor']}")
            assert [*page["data"], *rest["data"]] == begun[::-1]
            assert (page["hasMore"], rest["hasMore"]) == (True, False)
        for member in (await people.manager(), await student(people)):
            assert (await member.call("GET", PATH)).status_code == 403
        other = await people.member((Role.ADMIN, people.union_id))
        union = await other.ok("POST", "/unions", {"name": "Another union"})
        stranger = await people.officer(union["id"])
        assert (await stranger.ok("GET", PATH))["data"] == [], "another union's are not told"

    play(database, story)


@pytest.fixture
def on_rig(database, tmp_path):
    start = played(database, tmp_path)
    return lambda act: start(act, float_units=100 * LITRE)


def test_a_campaign_tells_how_many_of_its_coupons_were_used(on_rig):
    async def act(rig, people):
        officer, holder = await people.officer(), await student(people, CUSTOMER)
        other = await student(people)
        await officer.ok("POST", PATH, campaign(people, holder, other))
        [coupon] = await coupons(holder)
        async with rig.signing():
            opened = (await rig.post(f"/coupons/{coupon['code']}/redeem", {})).json()
            await rig.becomes(f"/orders/{opened['id']}", "paid")
        [shown] = (await officer.ok("GET", PATH))["data"]
        assert (shown["issued"], shown["used"]) == (2, 1)

    on_rig(act)
