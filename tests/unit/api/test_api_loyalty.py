"""Points, from the purchase to the coupon: people, a real signer, a ledger in memory."""

import pytest
from sqlalchemy.exc import DBAPIError

from api.loyalty.model import WAITS_MS
from ledger.primitives.amounts import Units
from tests.support.api.loyal_people import check_books, coupons, played, student
from tests.support.api.signed_money import HandSigner
from tests.support.api.wallet_proofs import link
from tests.support.node.fake_node import CUSTOMER


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


def test_points_wait_for_their_wallet_and_are_given_when_it_is_linked(on_rig):
    async def act(rig, people):
        await rig.buy(6)
        holder = await student(people)
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 0
        assert (await link(holder, CUSTOMER)).status_code == 200
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 1
        assert len(await coupons(holder)) == 1
        await check_books(rig)

    on_rig(act)


def test_points_that_nobody_comes_for_are_forgotten(on_rig):
    async def act(rig, people):
        await rig.buy(1)
        await rig.api.execute(f"UPDATE waiting_points SET expires_ms = expires_ms - {WAITS_MS}")
        await rig.api.service.money.sweep()
        holder = await student(people, CUSTOMER)
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 0

    on_rig(act)


def test_a_whole_refund_takes_the_point_back_and_a_part_does_not(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        order = await rig.buy(3)
        async with rig.signing():
            part = (await rig.refund(orderId=order["id"], amount="0.50")).json()
            await rig.becomes(f"/refunds/{part['id']}", "succeeded")
            assert (await holder.ok("GET", "/loyalty"))["balance"] == 3
            await rig.refunded(order)
            assert (await holder.ok("GET", "/loyalty"))["balance"] == 2
        await check_books(rig)

    on_rig(act)


async def whole_again(rig, manager):
    """Let an order have all of its money once a refund of a part of it is cancelled."""
    order = await rig.api.order()
    part = await rig.api.signed(order, units=Units(300_000))
    await rig.api.chain_only(part)
    await rig.api.level()
    asked = (await rig.refund(txHash=part.id.hex())).json()
    rest = await rig.api.signed(order, units=Units(200_000), redeem=())
    await rig.api.chain_only(rest)
    await rig.api.level()
    await manager.ok("POST", f"/refunds/{asked['id']}/cancel")
    return order


async def let_be(rig, manager):
    """Let a manager accept an order that was paid without its milk."""
    order = await rig.api.order()
    await rig.api.chain_only(await rig.api.signed(order, redeem=()))
    await rig.api.level()
    await manager.ok("POST", f"/orders/{order['id']}/resolve", {"resolution": "accept"})
    return order


@pytest.mark.parametrize("turns_paid", [whole_again, let_be])
def test_an_order_that_turns_paid_without_a_payment_earns_its_point(on_rig, turns_paid):
    async def act(rig, people):
        manager, holder = await people.manager(), await student(people)
        await HandSigner(rig).lease("operating")
        await turns_paid(rig, manager)
        assert (await link(holder, CUSTOMER)).status_code == 200
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 1, "it waited for the wallet"
        order = await turns_paid(rig, manager)
        assert (await rig.get(f"/orders/{order['id']}")).json()["state"] == "paid"
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 2
        await check_books(rig)

    on_rig(act)


def test_a_refund_revokes_an_unused_coupon_and_leaves_a_debt_for_a_used_one(on_rig):
    async def act(rig, people):
        holder = await student(people, CUSTOMER)
        order = await rig.buy(5)
        async with rig.signing():
            await rig.refunded(order)
            assert [one["state"] for one in await coupons(holder)] == ["revoked"]
            assert (await holder.ok("GET", "/loyalty"))["balance"] == 4
            order = await rig.buy(1)
            [coupon] = await coupons(holder, state="issued")
            opened = (await rig.post(f"/coupons/{coupon['code']}/redeem", {})).json()
            await rig.becomes(f"/orders/{opened['id']}", "paid")
            await rig.refunded(order)
            assert (await holder.ok("GET", "/loyalty"))["balance"] == -1
        await check_books(rig)

    on_rig(act)


def test_a_point_that_waits_is_taken_back_with_its_order(on_rig):
    async def act(rig, people):
        order = await rig.buy(1)
        async with rig.signing():
            await rig.refunded(order)
        holder = await student(people, CUSTOMER)
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 0

    on_rig(act)


def test_two_people_adjust_points_and_one_does_not(on_rig):
    async def act(rig, people):
        holder = await student(people)
        manager, other = await people.manager(), await people.manager()
        body = {"userId": holder.id, "points": 7, "note": "a spilt pack"}
        asked = await manager.ok("POST", "/loyalty/adjustments", body)
        alone = await manager.call("POST", f"/approvals/{asked['id']}/approve")
        assert alone.status_code == 403
        await other.ok("POST", f"/approvals/{asked['id']}/approve")
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 2
        assert len(await coupons(holder)) == 1
        await check_books(rig)

    on_rig(act)


def test_entries_are_never_changed_and_never_deleted(on_rig):
    async def act(rig, people):
        await student(people, CUSTOMER)
        await rig.buy(1)
        for statement in ("UPDATE loyalty_entries SET points = 9", "DELETE FROM loyalty_entries"):
            with pytest.raises(DBAPIError, match="never changed"):
                await rig.api.execute(statement)

    on_rig(act)
