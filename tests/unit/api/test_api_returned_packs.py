"""Packs that came back: sold again by orders that burn nothing, so that books and shelf agree."""

import asyncio

import pytest

from api.catalogue.shelves import Packs, ReturnedShelf, draw_returned
from ledger.primitives.keys import address_of
from tests.support.api.loyal_people import coupons, played, student
from tests.support.node.fake_node import CUSTOMER, MERCHANT

LEFT = "SELECT coalesce(sum(packs_left), 0) FROM returned_packs"
PAST_MS = 1_000


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


async def came_back(rig, quantity=1):
    """Sell packs and give them back as not handed over; give the order."""
    order = await rig.api.order(quantity=quantity)
    await rig.api.paid(order)
    async with rig.signing():
        asked = (await rig.refund(orderId=order["id"], reason="not_handed_over")).json()
        await rig.becomes(f"/refunds/{asked['id']}", "succeeded")
    assert await rig.api.scalar(LEFT) == quantity
    return order


async def read(rig, order):
    return (await rig.get(f"/orders/{order['id']}")).json()


def test_their_next_sale_burns_nothing_and_the_merchant_is_whole_again(on_rig):
    async def act(rig, people):
        first = await came_back(rig, quantity=2)
        shop = address_of(MERCHANT.public)
        before = (await rig.ledger.account(shop)).units
        again = await rig.api.order()
        assert (again["redeem"], again["amount"]["myr"]) == ([], "1.80")
        assert again["returned"] == [{"lot": first["redeem"][0]["lot"], "packs": 1}]
        paid = await rig.api.paid(again)
        assert (await rig.api.validate(paid)).json()["valid"] is True
        assert (await read(rig, again))["state"] == "paid"
        gained = (await rig.ledger.account(shop)).units - before
        assert gained == int(again["amount"]["bill"].replace(".", "")), "all of it, no milk off"
        assert await rig.api.scalar(LEFT) == 1
        many = await rig.api.order(quantity=2)
        assert (many["returned"], len(many["redeem"])) == ([], 1), "one is too few for two"
        assert (await rig.api.order())["redeem"] == []
        assert (await rig.api.order())["returned"] == [], "none is left"

    on_rig(act)


def test_a_payment_that_burns_milk_for_them_is_not_taken_in(on_rig):
    async def act(rig, people):
        first = await came_back(rig)
        signed = await rig.api.signed(first)
        again = await rig.api.order()
        wrong = await rig.api.signed(again, redeem=signed.intent.body.redeem)
        refused = await rig.api.post(again, wrong)
        assert (refused.status_code, refused.json()["code"]) == (422, "WRONG_REDEMPTION")

    on_rig(act)


def test_of_many_orders_at_once_each_pack_is_in_one(on_rig):
    async def act(rig, people):
        await came_back(rig, quantity=2)
        orders = await asyncio.gather(*(rig.api.order() for _ in range(6)))
        assert sum(bool(order["returned"]) for order in orders) == 2
        other = await rig.api.order(key=rig.api.other_key)
        assert other["returned"] == [], "another shop's shelf is another one"

    on_rig(act)


def test_an_order_that_comes_to_nothing_gives_them_back_and_a_late_payment_takes_them(on_rig):
    async def act(rig, people):
        await came_back(rig, quantity=2)
        over, late = await rig.api.order(), await rig.api.order()
        signed = await rig.api.signed(late)
        assert await rig.api.scalar(LEFT) == 0
        await rig.post(f"/orders/{over['id']}/cancel", None)
        assert await rig.api.scalar(LEFT) == 1
        await rig.api.execute(f"UPDATE orders SET expires_ms = {PAST_MS} WHERE id = '{late['id']}'")
        await rig.becomes(f"/orders/{late['id']}", "expired")
        assert await rig.api.scalar(LEFT) == 2
        await rig.api.chain_only(signed)
        await rig.api.level()
        shown = await read(rig, late)
        assert (shown["state"], shown["exception"]) == ("paid", "paid_late")
        assert await rig.api.scalar(LEFT) == 1

    on_rig(act)


def test_of_a_frozen_lot_they_are_sold_no_more_and_an_open_offer_is_drawn_from_another(on_rig):
    async def act(rig, people):
        first = await came_back(rig)
        again = await rig.api.order()
        lot = first["redeem"][0]["lot"]
        await rig.api.execute(f"""
            INSERT INTO lots (id, lot, kind, plant, pack_units, remaining_units, sound, expires_ms,
                seen_ms)
            SELECT decode(repeat('ab', 32), 'hex'), lot, kind, plant, 0, 9000000, true, expires_ms,
                seen_ms FROM lots WHERE id = decode('{lot}', 'hex');
        """)
        await rig.api.execute(f"UPDATE lots SET sound = false WHERE id = decode('{lot}', 'hex')")
        offer = await rig.api.offer(again)
        assert offer["redeem"] == [{"lot": "ab" * 32, "bill": "0.200000"}]
        assert offer["amount"] == again["amount"]
        assert (await read(rig, again))["returned"] == []
        assert await rig.api.scalar(LEFT) == 1, "it is there, and nobody's"
        assert (await rig.api.order())["returned"] == []

    on_rig(act)


def test_what_is_not_handed_over_again_comes_back_again_and_spoiled_packs_do_not(on_rig):
    async def act(rig, people):
        await came_back(rig)
        for reason, left in (("not_handed_over", 1), ("spoiled", 0)):
            again = await rig.api.order()
            assert again["returned"], "it is of the pack that came back"
            await rig.api.paid(again)
            async with rig.signing():
                asked = (await rig.refund(orderId=again["id"], reason=reason)).json()
                await rig.becomes(f"/refunds/{asked['id']}", "succeeded")
            assert await rig.api.scalar(LEFT) == left

    on_rig(act)


def test_a_coupon_buys_milk_and_leaves_them_to_who_pays_in_money(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        await came_back(rig)
        [coupon] = await coupons(holder)
        again = await rig.api.order()
        assert again["returned"]
        async with rig.signing():
            await holder.ok("POST", f"/orders/{again['id']}/coupon", {"couponId": coupon["id"]})
            paid = await rig.becomes(f"/orders/{again['id']}", "paid")
        assert (paid["returned"], paid["redeem"][0]["bill"]) == ([], "0.200000")
        assert await rig.api.scalar(LEFT) == 1

    on_rig(act)


def test_the_trace_of_their_order_leads_to_the_lot_that_they_were_of(on_rig):
    async def act(rig, people):
        first = await came_back(rig)
        again = await rig.api.order()
        await rig.api.paid(again)
        asked = []
        walk = rig.ledger.walk
        rig.ledger.walk = lambda subject: asked.append(subject.hex()) or walk(subject)
        await rig.get(f"/trace/{again['id']}")
        assert asked == [first["redeem"][0]["lot"]]

    on_rig(act)


def test_packs_are_drawn_whole_from_what_goes_off_first_or_not_at_all():
    def shelves():
        return [
            ReturnedShelf("a", b"\1", "whole", 200, 1),
            ReturnedShelf("b", b"\2", "goat", 200, 9),
            ReturnedShelf("c", b"\3", "whole", 200, 2),
            ReturnedShelf("d", b"\4", "whole", 500, 1),
        ]

    fresh = shelves()
    drawn = draw_returned(fresh, [Packs("whole", 200, 2), Packs("whole", 500, 1)])
    assert [(part.ref_id, part.packs) for part in drawn] == [("a", 1), ("c", 1), ("d", 1)]
    assert [shelf.free_packs for shelf in fresh] == [0, 9, 1, 0]
    untouched = shelves()
    assert draw_returned(untouched, [Packs("whole", 200, 3), Packs("whole", 500, 2)]) == ()
    assert untouched == shelves()
    assert draw_returned([], [Packs("whole", 200, 1)]) == ()
