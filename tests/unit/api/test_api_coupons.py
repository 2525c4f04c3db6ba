"""Coupons, from points to the pack: people, a real signer, a ledger in memory."""

import asyncio

import pytest

from ledger.primitives.keys import address_of
from tests.support.api.loyal_people import check_books, coupons, played, student
from tests.support.node.fake_node import CUSTOMER, MERCHANT


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


def test_five_purchases_are_a_coupon_and_a_till_that_scans_it_hands_out_milk_for_nothing(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        told = await holder.ok("GET", "/loyalty")
        assert (told["balance"], told["pointsACoupon"]) == (0, 5)
        assert sorted(one["points"] for one in told["data"]) == [-5, 1, 1, 1, 1, 1]
        [coupon] = await coupons(holder)
        assert (coupon["state"], coupon["worth"], coupon["productId"]) == (
            "issued",
            "1.80",
            "whole-200",
        )
        drawn = await holder.call("GET", f"/coupons/{coupon['id']}/qr.svg")
        assert drawn.headers["content-type"].startswith("image/svg+xml")
        shop = address_of(MERCHANT.public)
        before = (await rig.ledger.account(shop)).units
        async with rig.signing():
            opened = await rig.post(f"/coupons/{coupon['code']}/redeem", {})
            assert opened.status_code == 201, opened.text
            order = opened.json()
            assert order["amount"] == {"myr": "0.00", "bill": "0.200000"}
            paid = await rig.becomes(f"/orders/{order['id']}", "paid")
        [used] = await coupons(holder)
        assert (used["state"], used["orderId"]) == ("redeemed", order["id"])
        after = (await rig.ledger.account(shop)).units
        assert after == before, "the shop gets nothing: all of it is burned"
        tx_hash = await rig.api.scalar(
            f"SELECT encode(tx_hash, 'hex') FROM payments WHERE order_id = '{order['id']}'"
        )
        assert (await rig.api.validate(tx_hash, "0.00")).json()["valid"] is True
        assert paid["kind"] == "coupon"
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 0, "a coupon earns no point"
        await check_books(rig)

    on_rig(act)


def test_a_coupon_is_used_once_however_many_tills_scan_it_at_once(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        async with rig.signing():
            scans = await asyncio.gather(
                *(rig.post(f"/coupons/{coupon['code']}/redeem", {}) for _ in range(6))
            )
            assert sorted(scan.status_code for scan in scans) == [201] + [409] * 5
            codes = {scan.json()["code"] for scan in scans if scan.status_code == 409}
            assert codes <= {"COUPON_IN_USE", "COUPON_OVER"}
            [order] = [scan.json() for scan in scans if scan.status_code == 201]
            await rig.becomes(f"/orders/{order['id']}", "paid")
        late = await rig.post(f"/coupons/{coupon['code']}/redeem", {})
        assert (late.status_code, late.json()["code"]) == (409, "COUPON_OVER")

    on_rig(act)


def test_a_student_uses_a_coupon_on_an_order_that_they_have_scanned(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        order = await rig.api.order()
        two = await rig.api.order(quantity=2)
        use = {"couponId": coupon["id"]}
        async with rig.signing():
            refused = await holder.call("POST", f"/orders/{two['id']}/coupon", use)
            assert (refused.status_code, refused.json()["code"]) == (422, "COUPON_TOO_SMALL")
            taken = await holder.ok("POST", f"/orders/{order['id']}/coupon", use)
            assert taken["kind"] == "coupon"
            again = await holder.ok("POST", f"/orders/{order['id']}/coupon", use)
            assert again["id"] == taken["id"]
            paid = await rig.becomes(f"/orders/{order['id']}", "paid")
            assert paid["amount"]["myr"] == "0.00"
        stranger = await student(people)
        missed = await stranger.call("POST", f"/orders/{two['id']}/coupon", use)
        assert missed.status_code == 404

    on_rig(act)


def test_a_coupon_that_nobody_signs_for_is_its_holders_again_and_the_order_costs_what_it_did(
    on_rig,
):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        async with rig.signing(limits=()):
            order = await rig.api.order()
            use = {"couponId": coupon["id"]}
            await holder.ok("POST", f"/orders/{order['id']}/coupon", use)
            shown = await rig.becomes(f"/orders/{order['id']}", "sale", "kind")
            assert shown["amount"] == order["amount"]
            [again] = await coupons(holder)
            assert (again["state"], again["orderId"]) == ("issued", None)
            opened = (await rig.post(f"/coupons/{coupon['code']}/redeem", {})).json()
            await rig.becomes(f"/orders/{opened['id']}", "cancelled")
        assert (await coupons(holder))[0]["state"] == "issued"
        paid = await rig.api.paid(order)
        assert (await rig.api.validate(paid)).json()["valid"] is True

    on_rig(act)


def test_without_a_signer_no_coupon_is_held(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        [coupon] = await coupons(holder)
        refused = await rig.post(f"/coupons/{coupon['code']}/redeem", {})
        assert (refused.status_code, refused.json()["code"]) == (503, "SIGNER_OFFLINE")
        assert (await coupons(holder))[0]["state"] == "issued"

    on_rig(act)


def test_a_manager_sees_and_revokes_coupons_of_the_shop_and_never_a_code(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        manager = await people.manager()
        [shown] = await coupons(manager, of="shop")
        assert shown["code"] is None
        path = f"/coupons/{shown['id']}"
        assert (await manager.call("GET", f"{path}/qr.svg")).status_code in (403, 404)
        assert (await holder.call("GET", "/coupons?of=shop")).status_code == 403
        assert (await manager.ok("POST", f"{path}/revoke"))["state"] == "revoked"
        assert (await manager.ok("POST", f"{path}/revoke"))["state"] == "revoked"
        stranger = await student(people)
        assert (await stranger.call("GET", path)).status_code == 404
        assert (await holder.ok("GET", path))["state"] == "revoked"

    on_rig(act)


def test_coupons_end_after_their_time(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        await rig.buy(5)
        await rig.api.execute("UPDATE coupons SET expires_ms = issued_ms")
        [coupon] = await coupons(holder)
        async with rig.signing():
            late = await rig.post(f"/coupons/{coupon['code']}/redeem", {})
            assert (late.status_code, late.json()["code"]) == (409, "COUPON_OVER")
        await rig.api.service.money.sweep()
        assert (await coupons(holder))[0]["state"] == "expired"

    on_rig(act)
