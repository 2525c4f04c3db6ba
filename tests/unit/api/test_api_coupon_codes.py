"""A coupon's code in a new order: one pack, for nothing, once."""

import asyncio

import pytest

from tests.support.api.loyal_people import coupons, played, student
from tests.support.node.fake_node import CUSTOMER

ITEM = {"productId": "whole-200"}


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


def test_an_order_with_a_coupon_s_code_costs_nothing_and_keeps_its_notes(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        body = {"items": [ITEM], "couponCode": coupon["code"].lower(), "metadata": {"table": "7"}}
        async with rig.signing():
            opened = await rig.post("/orders", body)
            assert opened.status_code == 201, opened.text
            order = opened.json()
            assert (order["amount"]["myr"], order["kind"]) == ("0.00", "coupon")
            assert order["metadata"] == {"table": "7"}
            assert opened.headers["location"] == f"/api/v1/orders/{order['id']}"
            await rig.becomes(f"/orders/{order['id']}", "paid")
        assert (await coupons(holder))[0]["state"] == "redeemed"
        late = await rig.post("/orders", body)
        assert (late.status_code, late.json()["code"]) == (409, "COUPON_OVER")

    on_rig(act)


def test_tills_that_open_orders_with_one_code_at_once_use_it_once(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        body = {"items": [ITEM], "couponCode": coupon["code"]}
        async with rig.signing():
            answers = await asyncio.gather(*(rig.post("/orders", body) for _ in range(4)))
            assert sorted(one.status_code for one in answers) == [201] + [409] * 3
            [order] = [one.json() for one in answers if one.status_code == 201]
            await rig.becomes(f"/orders/{order['id']}", "paid")

    on_rig(act)


def test_a_code_buys_one_pack_that_is_sold_and_is_worth_it(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        code = coupon["code"]
        async with rig.signing():
            for items, told, status, problem in (
                ([{**ITEM, "quantity": 2}], code, 422, "COUPON_TOO_SMALL"),
                ([ITEM, ITEM], code, 422, "COUPON_TOO_SMALL"),
                ([{"productId": "whole-500"}], code, 422, "COUPON_TOO_SMALL"),
                ([{"productId": "beer"}], code, 422, "UNKNOWN_PRODUCT"),
                ([ITEM], "0" * 16, 404, "NOT_FOUND"),
                ([ITEM], code[:-1], 400, "MALFORMED_REQUEST"),
                ([ITEM], code + "0", 400, "MALFORMED_REQUEST"),
                ([ITEM], "", 400, "MALFORMED_REQUEST"),
            ):
                answer = await rig.post("/orders", {"items": items, "couponCode": told})
                assert (answer.status_code, answer.json()["code"]) == (status, problem), items
        assert (await coupons(holder))[0]["state"] == "issued"

    on_rig(act)


def test_points_buy_what_the_shop_itself_sells_at_its_own_price(on_rig):
    async def act(rig, people):
        await rig.api.execute(f"""
            INSERT INTO products (merchant_id, id, name_en, name_ms, kind, price_sen, redeem_units,
                active) VALUES ('{people.merchant_id}', 'whole-200', 'x', 'x', 'whole', 200, 200000,
                true)
        """)
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        assert coupon["worth"] == "2.00"
        async with rig.signing():
            opened = await rig.post("/orders", {"items": [ITEM], "couponCode": coupon["code"]})
            assert opened.status_code == 201, opened.text
            await rig.becomes(f"/orders/{opened.json()['id']}", "paid")

    on_rig(act)
