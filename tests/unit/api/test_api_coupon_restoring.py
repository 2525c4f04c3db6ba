"""Coupons given back whose milk was not handed over: its holder has it again, its shop the pack."""

import asyncio

import pytest

from tests.support.api.cash import LITRE
from tests.support.api.loyal_people import check_books, coupons, played, student
from tests.support.node.fake_node import CUSTOMER
from tests.unit.api.test_api_budgets import campaign

LEFT = "SELECT coalesce(sum(packs_left), 0) FROM returned_packs"


@pytest.fixture
def on_rig(database, tmp_path):
    start = played(database, tmp_path)
    return lambda act: start(act, float_units=100 * LITRE)


async def bought(rig, coupon):
    """Let a till scan a coupon, and wait until its milk is bought; give the order."""
    opened = (await rig.post(f"/coupons/{coupon['code']}/redeem", {})).json()
    return await rig.becomes(f"/orders/{opened['id']}", "paid")


def test_whose_milk_was_not_handed_over_has_the_coupon_again_for_as_long_as_it_was_good(on_rig):
    async def act(rig, people):
        holder, manager = await student(people, CUSTOMER), await people.manager()
        await rig.buy(5)
        [coupon] = await coupons(holder)
        path = f"/coupons/{coupon['id']}/restore"
        untouched = await manager.ok("POST", path)
        assert untouched["state"] == "issued", "nothing was used, nothing is given back"
        async with rig.signing():
            order = await bought(rig, coupon)
            [used] = await coupons(holder)
            back = await asyncio.gather(*(manager.call("POST", path) for _ in range(3)))
            assert {one.status_code for one in back} <= {200, 409}
            [again] = await coupons(holder)
            assert (again["state"], again["orderId"], again["code"]) == (
                "issued",
                None,
                coupon["code"],
            )
            assert again["expiresAt"] >= used["expiresAt"]
            shown = (await rig.get(f"/orders/{order['id']}")).json()
            assert (shown["state"], shown["exception"]) == ("refunded", None)
            assert await rig.api.scalar(LEFT) == 1, "once"
            refused = await rig.post(f"/orders/{order['id']}/fulfill", None)
            assert refused.json()["code"] == "ORDER_NOT_PAID"
            assert (await bought(rig, again))["amount"]["myr"] == "0.00"
        assert (await rig.api.order())["returned"], "the pack is sold again"
        tx_hash = await rig.api.scalar(
            f"SELECT encode(tx_hash, 'hex') FROM payments WHERE order_id = '{order['id']}'"
        )
        assert (await rig.api.validate(tx_hash, "0.00")).json()["error"] == "TX_REFUNDED"
        await check_books(rig)

    on_rig(act)


def test_milk_that_was_handed_over_gives_no_coupon_back_and_no_other_shop_s_manager_does(on_rig):
    async def act(rig, people):
        holder, manager = await student(people, CUSTOMER), await people.manager()
        await rig.buy(5)
        [coupon] = await coupons(holder)
        path = f"/coupons/{coupon['id']}/restore"
        async with rig.signing():
            order = await bought(rig, coupon)
        assert (await holder.call("POST", path)).status_code == 403
        await rig.post(f"/orders/{order['id']}/fulfill", None)
        late = await manager.call("POST", path)
        assert (late.status_code, late.json()["code"]) == (409, "NOT_RESTORABLE")
        await rig.post(f"/orders/{order['id']}/reopen", None)
        assert (await manager.ok("POST", path))["state"] == "issued"
        await manager.ok("POST", f"/coupons/{coupon['id']}/revoke")
        over = await manager.call("POST", path)
        assert (over.status_code, over.json()["code"]) == (409, "COUPON_OVER")

    on_rig(act)


def test_what_a_union_paid_goes_back_to_it_before_the_coupon_goes_back(on_rig):
    async def act(rig, people):
        holder, manager = await student(people, CUSTOMER), await people.manager()
        officer = await people.officer()
        await officer.ok("POST", "/coupon-campaigns", campaign(people, holder))
        [coupon] = await coupons(holder)
        path = f"/coupons/{coupon['id']}/restore"
        async with rig.signing():
            order = await bought(rig, coupon)
            early = await manager.call("POST", path)
            assert (early.status_code, early.json()["code"]) == (409, "NOT_RESTORABLE")
            asked = (await rig.refund(orderId=order["id"], reason="not_handed_over")).json()
            await rig.becomes(f"/refunds/{asked['id']}", "succeeded")
            assert (await manager.ok("POST", path))["state"] == "issued"
        assert await rig.api.scalar(LEFT) == 1, "one pack came back, and not two"

    on_rig(act)
