"""The clock of partners' tests: time passes for one shop's open orders and coupons alone."""

import pytest
from ulid import ULID

from tests.support.api.cash import becomes
from tests.support.api.loyal_people import coupons, played, student
from tests.support.node.fake_node import CUSTOMER

DAY_S = 86_400


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


async def advance(rig, seconds, key="", once=""):
    headers = rig.api.till(key, **{"Idempotency-Key": once or str(ULID())})
    body = {"advanceSeconds": seconds}
    return await rig.api.http.post("/api/v1/test/clock", json=body, headers=headers)


def test_time_passes_for_one_shop_and_what_is_over_ends(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        mine, other = await rig.api.order(), await rig.api.order(key=rig.api.other_key)
        told = await advance(rig, 60, once="a minute")
        assert told.json() == {"advancedSeconds": 60, "orders": 1, "coupons": 1}
        again = await advance(rig, 60, once="a minute")
        assert (again.json(), again.headers["idempotent-replayed"]) == (told.json(), "true")
        shown = (await rig.get(f"/orders/{mine['id']}")).json()
        assert (shown["state"], shown["version"]) == ("awaiting_payment", mine["version"] + 1)
        assert shown["expiresAt"] < mine["expiresAt"]
        assert (await advance(rig, 100 * DAY_S)).status_code == 200
        signed = await rig.api.signed(mine)
        late = await rig.api.post(mine, signed)
        assert late.json()["code"] in ("ORDER_EXPIRED", "ORDER_NOT_PAYABLE")
        await rig.becomes(f"/orders/{mine['id']}", "expired")
        [coupon] = await coupons(holder)
        await becomes(holder, f"/coupons/{coupon['id']}", "expired")
        untouched = (await rig.get(f"/orders/{other['id']}", rig.api.other_key)).json()
        assert untouched["expiresAt"] == other["expiresAt"], "another shop's day is as long"

    on_rig(act)


def test_what_is_no_time_is_refused(on_rig):
    async def act(rig, people):
        for seconds in (0, -1, 100 * DAY_S + 1, "60", 1.5):
            assert (await advance(rig, seconds)).status_code == 400, seconds

    on_rig(act)
