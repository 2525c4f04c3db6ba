"""Refunds that are asked for and not given yet: what they take from an order is gone already."""

import pytest

from api.chain.node_watch import SKEW_MS_MAX
from ledger.primitives.amounts import Units
from tests.support.api.loyal_people import played, student
from tests.support.api.service_rig import Clocks
from tests.support.api.signed_money import HandSigner
from tests.support.node.fake_node import CUSTOMER

PART = Units(300_000)
HOUR_MS = 3_600_000


@pytest.fixture
def on_rig(database, tmp_path):
    return played(database, tmp_path)


async def pay(rig, order, **changes):
    paid = await rig.api.signed(order, **changes)
    await rig.api.chain_only(paid)
    await rig.api.level()
    return paid


async def part_going_back(rig, **changes):
    """Pay a part of an order and ask for it back; give the order and what a signer has in hand."""
    signer, order = HandSigner(rig), await rig.api.order()
    await signer.lease("operating")
    part = await pay(rig, order, units=PART, **changes)
    asked = await rig.refund(txHash=part.id.hex())
    assert (asked.status_code, asked.json()["state"]) == (202, "pending"), asked.text
    [request] = await signer.lease("operating")
    return order, signer, request


async def shown(rig, order):
    told = (await rig.get(f"/orders/{order['id']}")).json()
    return told["state"], told["exception"]


async def refuse(rig, signer, request):
    await signer.office.refuse(rig.account_of("operating"), request.id, "DAY_LIMIT", "enough")


def test_money_that_goes_back_does_not_pay_the_order_with_what_comes_after(on_rig):
    async def act(rig, people):
        order, signer, request = await part_going_back(rig)
        await pay(rig, order, units=Units(200_000), redeem=())
        assert await shown(rig, order) == ("awaiting_payment", None)
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw, times=2)
        assert await shown(rig, order) == ("awaiting_payment", None)

    on_rig(act)


@pytest.mark.parametrize("end", ["refused", "cancelled"])
def test_an_order_that_has_all_of_its_money_after_all_is_paid(on_rig, end):
    async def act(rig, people):
        order, signer, request = await part_going_back(rig)
        await pay(rig, order, units=Units(200_000), redeem=())
        if end == "refused":
            await refuse(rig, signer, request)
        else:
            await rig.api.execute("UPDATE signing_requests SET leased_until_ms = 0")
            manager = await people.manager()
            ended = await manager.ok("POST", f"/refunds/{request.ref_id}/cancel")
            assert ended["state"] == "cancelled"
        assert await shown(rig, order) == ("paid", None)
        assert await rig.api.scalar("SELECT sum(reserved_units) FROM lots") == 0
        told = "SELECT count(*) FROM events WHERE kind = 'order.paid'"
        assert await rig.api.scalar(told) == 1

    on_rig(act)


def test_what_goes_back_already_does_not_go_back_again_as_too_much(on_rig):
    async def act(rig, people):
        order, signer, request = await part_going_back(rig)
        await pay(rig, order)
        assert await shown(rig, order) == ("paid", None)
        assert await rig.api.scalar("SELECT count(*) FROM refunds") == 1
        await refuse(rig, signer, request)
        assert await shown(rig, order) == ("paid", "overpaid")

    on_rig(act)


def test_of_too_much_only_that_goes_back_which_is_not_on_its_way_already(on_rig):
    async def act(rig, people):
        order, _, _ = await part_going_back(rig, redeem=())
        await pay(rig, order, units=Units(600_000))
        assert await shown(rig, order) == ("paid", "overpaid")
        automatic = "SELECT sum(units) FROM refunds WHERE automatic"
        assert await rig.api.scalar(automatic) == 100_000

    on_rig(act)


def test_milk_is_not_handed_over_while_its_money_goes_back(on_rig):
    async def act(rig, people):
        await HandSigner(rig).lease("operating")
        order = await rig.buy()
        asked = (await rig.refund(orderId=order["id"])).json()
        held = await rig.post(f"/orders/{order['id']}/fulfill", {})
        assert (held.status_code, held.json()["code"]) == (409, "REFUND_IN_FLIGHT")
        await (await people.manager()).ok("POST", f"/refunds/{asked['id']}/cancel")
        assert (await rig.post(f"/orders/{order['id']}/fulfill", {})).status_code == 200

    on_rig(act)


def test_milk_is_handed_over_while_what_was_paid_twice_goes_back(on_rig):
    async def act(rig, people):
        order = await rig.api.order()
        first, second = [await rig.api.signed(order, nonce=n) for n in await numbers(rig, order)]
        for paid in (first, second):
            await rig.api.chain_only(paid)
        await rig.api.level()
        assert await shown(rig, order) == ("paid", "duplicate")
        assert await rig.api.scalar("SELECT state FROM refunds") == "pending"
        assert (await rig.post(f"/orders/{order['id']}/fulfill", {})).status_code == 200

    on_rig(act)


async def numbers(rig, order):
    first = (await rig.api.signed(order)).intent.nonce
    return first, first + 1


def test_an_approved_refund_begins_wherever_the_wall_clock_stands(on_rig):
    clocks = Clocks()

    async def act(rig, people):
        clocks.wall_ahead_ms = HOUR_MS + SKEW_MS_MAX
        await HandSigner(rig).lease("operating")
        order, asker, other = await rig.buy(), await people.manager(), await people.manager()
        wish = {"orderId": order["id"], "reason": "spoiled"}
        approval = await asker.ok("POST", "/refunds/approvals", wish)
        done = await other.call("POST", f"/approvals/{approval['id']}/approve")
        assert done.status_code == 200, done.text
        assert await rig.api.scalar("SELECT state FROM refunds") == "pending"

    on_rig(act, clocks=clocks)


def test_points_wait_by_the_chain_s_time_wherever_the_wall_clock_stands(on_rig):
    clocks = Clocks()

    async def act(rig, people):
        clocks.wall_ahead_ms = 100 * 24 * HOUR_MS
        await rig.buy()
        holder = await student(people, CUSTOMER)
        assert (await holder.ok("GET", "/loyalty"))["balance"] == 1

    on_rig(act, clocks=clocks)


def test_a_strangers_dust_goes_back_to_the_stranger_and_spoils_no_exact_payment(on_rig):
    async def act(rig, people):
        signer, order = HandSigner(rig), await rig.api.order()
        await signer.lease("operating")
        dust = await pay(rig, order, units=Units(1), redeem=())
        exact = await rig.api.paid(order)
        assert await shown(rig, order) == ("paid", "overpaid")
        [request] = await signer.lease("operating")
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw)
        [back] = (await rig.get("/refunds")).json()["data"]
        assert (back["txHash"], back["state"]) == (dust.id.hex(), "succeeded")
        assert await shown(rig, order) == ("paid", None)
        assert (await rig.api.validate(exact)).json()["valid"] is True

    on_rig(act)
