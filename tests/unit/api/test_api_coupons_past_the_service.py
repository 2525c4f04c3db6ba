"""Coupons beside money that a wallet hands to a node itself: nobody gets two things for one."""

import pytest

from ledger.primitives.amounts import Units
from tests.support.api.cash import LITRE
from tests.support.api.loyal_people import check_books, coupons, played
from tests.unit.api.test_api_coupons_met import leased, with_coupon

MILK = Units(200_000)


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


async def pay(rig, order, **changes):
    """Pay past the service."""
    paid = await rig.api.signed(order, **changes)
    await rig.api.chain_only(paid)
    await rig.api.level()
    return paid


async def bought_in_vain(rig, people, payer="operating"):
    """Use a coupon on an order, pay it with a wallet, and let the purchase come after that."""
    signer, holder, coupon = await with_coupon(rig, people)
    if payer == "float":
        await signer.lease(payer)
        await rig.api.execute("UPDATE coupons SET funded_by = 'union'")
    order = await rig.api.order()
    before = await rig.api.signed(order)
    await holder.ok("POST", f"/orders/{order['id']}/coupon", {"couponId": coupon["id"]})
    [request] = await signer.lease(payer)
    raw = signer.sign(request, payer)
    await signer.hand_over(request, payer, raw)
    await rig.api.chain_only(before)
    await rig.api.level()
    await signer.finalize(raw, times=2)
    return signer, holder, order, before


async def give_back(signer):
    """Sign and settle every refund that is asked for."""
    requests = await signer.lease("operating")
    for request in requests:
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw)
    return len(requests)


async def shown(rig, order):
    told = (await rig.get(f"/orders/{order['id']}")).json()
    return told["state"], told["exception"]


def test_a_refund_of_all_that_was_paid_leaves_nothing_of_a_purchase_in_vain(on_rig):
    async def act(rig, people):
        signer, holder, order, paid = await bought_in_vain(rig, people)
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 1
        asked = await rig.refund(orderId=order["id"])
        assert (asked.status_code, asked.json()["txHash"]) == (202, paid.id.hex())
        assert await give_back(signer) == 1
        assert await shown(rig, order) == ("refunded", None)
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 0
        handed = await rig.post(f"/orders/{order['id']}/fulfill", {})
        assert (handed.status_code, handed.json()["code"]) == (409, "ORDER_NOT_PAID")
        assert [one["state"] for one in await coupons(holder)] == ["issued"]
        await check_books(rig)

    on_rig(act)


def test_a_refund_that_is_cancelled_makes_no_too_much_of_a_purchase_in_vain(on_rig):
    async def act(rig, people):
        _, _, order, paid = await bought_in_vain(rig, people)
        asked = (await rig.refund(txHash=paid.id.hex())).json()
        manager = await people.manager()
        await manager.ok("POST", f"/refunds/{asked['id']}/cancel")
        assert await shown(rig, order) == ("paid", None)
        resolve = f"/orders/{order['id']}/resolve"
        nothing = await manager.call("POST", resolve, {"resolution": "refund"})
        assert (nothing.status_code, nothing.json()["code"]) == (422, "NOTHING_LEFT")

    on_rig(act)


def test_a_purchase_in_vain_is_nobody_s_to_be_given_back(on_rig):
    async def act(rig, people):
        await bought_in_vain(rig, people)
        tx_hash = await rig.api.scalar(
            "SELECT encode(tx_hash, 'hex') FROM payments WHERE outcome = 'in_vain'"
        )
        refused = await rig.refund(txHash=tx_hash)
        assert (refused.status_code, refused.json()["code"]) == (422, "PAID_BY_COUPON")
        assert (await rig.api.validate(tx_hash)).json()["error"] == "TX_ALREADY_USED"

    on_rig(act)


@pytest.mark.parametrize(("payer", "packs"), [("operating", 1), ("float", None)])
def test_a_pack_that_was_bought_in_vain_is_the_shop_s_if_the_shop_has_paid(on_rig, payer, packs):
    async def act(rig, people):
        await bought_in_vain(rig, people, payer)
        assert await rig.api.scalar("SELECT sum(packs_left) FROM returned_packs") == packs

    on_rig(act, float_units=4 * LITRE)


def test_who_pays_what_the_milk_of_a_coupon_s_order_costs_has_bought_nothing(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order, request, raw = await leased(rig, signer, coupon)
        paid = await pay(rig, order)
        assert paid.intent.body.units == MILK, "all that it costs, and nothing for the shop"
        assert await shown(rig, order) == ("awaiting_payment", "duplicate")
        assert (await rig.api.validate(paid, "0.00")).json()["valid"] is False
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 0
        [refund] = (await rig.get(f"/refunds?orderId={order['id']}")).json()["data"]
        assert (refund["reason"], refund["amount"]) == ("duplicate", None)
        await rig.api.execute(
            f"UPDATE signing_requests SET leased_until_ms = 0 WHERE ref_id = '{refund['id']}'"
        )
        manager = await people.manager()
        await manager.ok("POST", f"/refunds/{refund['id']}/cancel")
        assert await shown(rig, order) == ("awaiting_payment", "duplicate")
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw)
        assert (await shown(rig, order))[0] == "paid"
        assert [one["state"] for one in await coupons(holder)] == ["redeemed"]

    on_rig(act)


def test_a_payment_without_a_reference_is_given_to_no_coupon_s_order(on_rig):
    async def act(rig, people):
        signer, _, coupon = await with_coupon(rig, people)
        order, _, _ = await leased(rig, signer, coupon)
        stray = await pay(rig, order, reference=bytes(range(32)))
        path = f"/payments/{stray.id.hex()}/assign"
        refused = await (await people.manager()).call("POST", path, {"orderId": order["id"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "ORDER_NOT_PAYABLE")

    on_rig(act)


def test_what_came_in_before_a_coupon_s_purchase_goes_back_by_itself(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order = await rig.api.order()
        await holder.ok("POST", f"/orders/{order['id']}/coupon", {"couponId": coupon["id"]})
        [request] = await signer.lease("operating")
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        part = await pay(rig, order, units=Units(300_000))
        await signer.finalize(raw)
        assert await shown(rig, order) == ("paid", "overpaid")
        assert await give_back(signer) == 1
        assert await shown(rig, order) == ("paid", None)
        back = f"SELECT refunded_units FROM payments WHERE tx_hash = '\\x{part.id.hex()}'"
        assert await rig.api.scalar(back) == 300_000

    on_rig(act)


def test_a_part_that_went_back_before_a_coupon_s_purchase_leaves_no_refund_below_nothing(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order = await rig.api.order()
        await holder.ok("POST", f"/orders/{order['id']}/coupon", {"couponId": coupon["id"]})
        part = await pay(rig, order, units=Units(300_000))
        [request] = await signer.lease("operating")
        asked = await rig.refund(txHash=part.id.hex(), amount="0.50")
        assert asked.status_code == 202, asked.text
        assert await give_back(signer) == 1
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw)
        assert (await rig.get(f"/orders/{order['id']}")).json()["amount"]["myr"] == "0.00"
        [rest] = (await rig.get("/refunds?state=pending")).json()["data"]
        assert (rest["amount"], rest["bill"]) == (None, "0.161112")

    on_rig(act)


def test_a_coupon_buys_nothing_that_costs_less_than_its_milk(on_rig):
    async def act(rig, people):
        _, holder, coupon = await with_coupon(rig, people)
        await rig.api.execute("UPDATE products SET price_sen = 180 WHERE id = 'whole-1000'")
        dear = {"items": [{"productId": "whole-1000"}], "couponCode": coupon["code"]}
        for path, body in (
            ("/orders", dear),
            (f"/coupons/{coupon['code']}/redeem", {"productId": "whole-1000"}),
        ):
            refused = await rig.post(path, body)
            assert (refused.status_code, refused.json()["code"]) == (409, "PRICE_BELOW_MILK")
        assert (await coupons(holder))[0]["state"] == "issued"

    on_rig(act)
