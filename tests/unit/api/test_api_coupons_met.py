"""Coupons met by something else: a cancel, a stranger's money, a wallet that had signed before.

The signer is played by hand, so that each meets the other at the worst moment.
"""

import pytest
from sqlalchemy.exc import IntegrityError

from api.errors import Conflict
from ledger.types.transaction import decode_transaction
from tests.support.api.loyal_people import coupons, played, student
from tests.support.api.signed_money import HandSigner
from tests.support.node.fake_node import CUSTOMER


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


async def with_coupon(rig, people):
    """Give a student with a coupon, and a signer that was heard."""
    signer, holder = HandSigner(rig), await student(people, CUSTOMER)
    await signer.lease("operating")
    await rig.buy(5)
    [coupon] = await coupons(holder)
    return signer, holder, coupon


async def leased(rig, signer, coupon):
    opened = await rig.post(f"/coupons/{coupon['code']}/redeem", {})
    assert opened.status_code == 201, opened.text
    [request] = await signer.lease("operating")
    return opened.json(), request, signer.sign(request, "operating")


def test_who_cancels_a_coupon_s_order_frees_it_and_late_bytes_reach_no_node(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order, request, raw = await leased(rig, signer, coupon)
        assert (await rig.post(f"/orders/{order['id']}/cancel", {})).json()["state"] == "cancelled"
        assert (await coupons(holder))[0]["state"] == "issued"
        with pytest.raises(Conflict) as late:
            await signer.hand_over(request, "operating", raw)
        assert late.value.code == "REQUEST_OVER"
        again, request, raw = await leased(rig, signer, coupon)
        await signer.hand_over(request, "operating", raw)
        flying = await rig.post(f"/orders/{again['id']}/cancel", {})
        assert (flying.status_code, flying.json()["code"]) == (409, "PAYMENT_IN_FLIGHT")
        await signer.finalize(raw, times=2)
        assert (await rig.becomes(f"/orders/{again['id']}", "paid"))["kind"] == "coupon"
        assert (await coupons(holder))[0]["orderId"] == again["id"]

    on_rig(act)


def test_a_stranger_s_dust_on_a_coupon_s_order_stays_in_its_books(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order, request, raw = await leased(rig, signer, coupon)
        dust = await rig.api.signed(order, units=7, redeem=())
        await rig.api.chain_only(dust)
        await rig.api.level()
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw)
        received = await rig.api.scalar(
            f"SELECT received_units FROM orders WHERE id = '{order['id']}'"
        )
        assert received == 200_000 + 7
        assert (await coupons(holder))[0]["state"] == "redeemed"

    on_rig(act)


def test_a_coupon_whose_order_was_paid_by_a_wallet_meanwhile_is_its_holder_s_again(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order = await rig.api.order()
        before = await rig.api.signed(order)
        await holder.ok("POST", f"/orders/{order['id']}/coupon", {"couponId": coupon["id"]})
        told = await rig.api.post(order, before)
        assert told.status_code in (409, 422), "the service takes no money for it any more"
        [request] = await signer.lease("operating")
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        await rig.api.chain_only(before)
        await rig.api.level()
        await signer.finalize(raw, times=2)
        assert (await coupons(holder))[0]["state"] == "issued"
        shown = (await rig.get(f"/orders/{order['id']}")).json()
        assert (shown["state"], shown["exception"]) == ("paid", None)
        assert await rig.api.scalar("SELECT sum(packs_left) FROM returned_packs") == 1
        assert (shown["kind"], shown["amount"]) == ("sale", order["amount"])
        assert await rig.api.scalar("SELECT count(*) FROM refunds") == 0, "nobody paid too much"
        path, manager = f"/orders/{order['id']}/resolve", await people.manager()
        nobody_s = await manager.call("POST", path, {"resolution": "refund"})
        assert (nobody_s.status_code, nobody_s.json()["code"]) == (422, "NOTHING_LEFT")
        assert (await rig.api.validate(before.id.hex())).json()["valid"] is True

    on_rig(act)


def test_an_order_that_a_coupon_holds_keeps_its_price_and_tells_wallets_to_wait(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order = await rig.api.order()
        use = {"couponId": coupon["id"]}
        held = await holder.ok("POST", f"/orders/{order['id']}/coupon", use)
        assert (held["kind"], held["amount"]) == ("coupon", order["amount"])
        offer = await rig.api.offer(order)
        assert (offer["inFlight"], offer["amount"]) == (True, order["amount"])
        [request] = await signer.lease("operating")
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw, times=2)
        bought = (await rig.get(f"/orders/{order['id']}")).json()
        assert (bought["state"], bought["amount"]["myr"]) == ("paid", "0.00")
        assert bought["exception"] is None
        assert (await rig.api.offer(order))["inFlight"] is False

    on_rig(act)


def test_an_order_is_one_coupon_s_however_it_was_opened(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        await rig.buy(5)
        [second] = [one for one in await coupons(holder) if one["id"] != coupon["id"]]
        scanned, _, _ = await leased(rig, signer, coupon)
        more = {"couponId": second["id"]}
        refused = await holder.call("POST", f"/orders/{scanned['id']}/coupon", more)
        assert (refused.status_code, refused.json()["code"]) == (409, "ORDER_NOT_PAYABLE")
        assert (await rig.post(f"/orders/{scanned['id']}/cancel", {})).status_code == 200
        order = await rig.api.order()
        await holder.ok("POST", f"/orders/{order['id']}/coupon", {"couponId": coupon["id"]})
        refused = await holder.call("POST", f"/orders/{order['id']}/coupon", more)
        assert (refused.status_code, refused.json()["code"]) == (409, "ORDER_NOT_PAYABLE")
        with pytest.raises(IntegrityError):
            await rig.api.execute(
                f"UPDATE coupons SET state = 'reserved', order_id = '{order['id']}' "
                f"WHERE id = '{second['id']}'"
            )

    on_rig(act)


def test_a_coupon_s_purchase_that_is_refused_changes_no_price_that_a_wallet_has_paid(on_rig):
    async def act(rig, people):
        signer, holder, coupon = await with_coupon(rig, people)
        order = await rig.api.order()
        await holder.ok("POST", f"/orders/{order['id']}/coupon", {"couponId": coupon["id"]})
        paid = await rig.api.signed(order)
        await rig.api.chain_only(paid)
        await rig.api.level()
        [request] = await signer.lease("operating")
        account = rig.account_of("operating")
        await signer.office.refuse(account, request.id, "DAY_LIMIT", "too much for a day")
        shown = (await rig.get(f"/orders/{order['id']}")).json()
        assert (shown["state"], shown["kind"], shown["exception"]) == ("paid", "sale", None)
        assert shown["amount"] == order["amount"]
        assert (await coupons(holder))[0]["state"] == "issued"

    on_rig(act)


def test_the_service_takes_no_wallet_s_money_for_what_a_coupon_pays(on_rig):
    async def act(rig, people):
        signer, _, coupon = await with_coupon(rig, people)
        order, _, _ = await leased(rig, signer, coupon)
        told = await rig.api.post(order, await rig.api.signed(order))
        assert (told.status_code, told.json()["code"]) == (409, "ORDER_NOT_PAYABLE")

    on_rig(act)


def test_of_what_a_shop_s_own_account_bought_nothing_goes_back(on_rig):
    async def act(rig, people):
        signer, _, coupon = await with_coupon(rig, people)
        order, request, raw = await leased(rig, signer, coupon)
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw)
        for body in ({"orderId": order["id"]}, {"txHash": decode_transaction(raw).id.hex()}):
            refused = await rig.refund(**body)
            assert (refused.status_code, refused.json()["code"]) == (422, "PAID_BY_COUPON")
        dust = await rig.api.signed(order, units=7, redeem=())
        await rig.api.chain_only(dust)
        await rig.api.level()
        assert await rig.api.scalar("SELECT sum(units) FROM refunds") == 7, "a stranger's goes"

    on_rig(act)
