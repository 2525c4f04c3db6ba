"""What is odd about an order goes back by a manager's word: how much of which payment, and why."""

import asyncio

import pytest

from api.orders.model import Item, Order, OrderException, OrderState
from api.payments.model import Outcome
from api.refunds.model import RefundReason, RefundState
from api.refunds.resolving import parts_of
from api.refunds.store import PaidIn
from ledger.primitives.keys import Address
from tests.support.api.signed_money import HandSigner
from tests.support.api.signing_rig import running_signing_rig
from tests.unit.api.test_api_refund_rules import earlier

QUOTE_UNITS = 500_000


def paid(outcome: Outcome, units: int = QUOTE_UNITS, name: bytes = b"a") -> PaidIn:
    return PaidIn(name, "", "", units, (), outcome, 1)


def parts(order, *payments, before=None):
    given = {one.tx_hash: (before or {}).get(one.tx_hash, []) for one in payments}
    return [
        (part.paid.tx_hash, part.reason, part.share.units, part.share.amount_sen)
        for part in parts_of(order, payments, given)
    ]


def odd(exception, received_units=QUOTE_UNITS):
    return Order(
        id="",
        merchant_id="",
        merchant="",
        kind="sale",
        items=(Item("whole-200", 1, "whole", 180, 200_000),),
        amount_sen=180,
        amount_units=QUOTE_UNITS,
        redeem_units=200_000,
        reference=b"",
        payout=Address(b""),
        basket=(),
        offered={},
        code="",
        ticket="",
        metadata={},
        state=OrderState.PAID,
        exception=exception,
        received_units=received_units,
        created_ms=0,
        expires_ms=0,
    )


def test_of_an_order_that_was_paid_late_or_without_its_milk_all_goes_back():
    late = parts(odd(OrderException.PAID_LATE), paid(Outcome.PAID_LATE))
    assert late == [(b"a", RefundReason.PAID_LATE, QUOTE_UNITS, 180)]
    unburned = parts(odd(OrderException.WRONG_REDEMPTION), paid(Outcome.WRONG_REDEMPTION))
    assert unburned == [(b"a", RefundReason.OTHER, QUOTE_UNITS, 180)]


def test_of_one_that_was_paid_twice_only_what_came_second_goes_back():
    order = odd(OrderException.DUPLICATE, 2 * QUOTE_UNITS)
    found = parts(order, paid(Outcome.SUCCEEDED), paid(Outcome.DUPLICATE, name=b"b"))
    assert found == [(b"b", RefundReason.DUPLICATE, QUOTE_UNITS, 180)]


def test_of_one_that_was_paid_too_much_the_excess_goes_back_the_newest_first():
    order = odd(OrderException.OVERPAID, 700_000)
    found = parts(
        order, paid(Outcome.UNDERPAID, 550_000), paid(Outcome.UNDERPAID, 150_000, name=b"b")
    )
    assert [(tx, units) for tx, _, units, _ in found] == [(b"b", 150_000), (b"a", 50_000)]


def test_nothing_goes_back_twice_and_nothing_of_an_order_in_order():
    order, payment = odd(OrderException.PAID_LATE), paid(Outcome.PAID_LATE)
    given = {b"a": [earlier(QUOTE_UNITS, 180, state=RefundState.SUCCEEDED)]}
    assert parts(order, payment, before=given) == []
    assert parts(odd(None), paid(Outcome.SUCCEEDED)) == []


@pytest.fixture
def on_rig(database, tmp_path):
    def start(act, **changes):
        async def run():
            async with running_signing_rig(database, tmp_path, **changes) as rig:
                people = await rig.people()
                try:
                    await act(rig, people)
                finally:
                    await people.close()

        asyncio.run(run())

    return start


async def resolve(member, order, resolution):
    return await member.call("POST", f"/orders/{order['id']}/resolve", {"resolution": resolution})


async def unburned(rig, quantity=1):
    """Pay an order without burning its milk."""
    order = await rig.api.order(quantity=quantity)
    await rig.api.chain_only(await rig.api.signed(order, redeem=()))
    await rig.api.level()
    return order


def test_a_manager_gives_an_odd_payment_back_and_the_order_is_even(on_rig):
    async def act(rig, people):
        order, manager = await unburned(rig), await people.manager()
        offline = await resolve(manager, order, "refund")
        assert (offline.status_code, offline.json()["code"]) == (503, "SIGNER_OFFLINE")
        async with rig.signing():
            begun = await resolve(manager, order, "refund")
            assert begun.status_code == 200, begun.text
            (refund,) = (await rig.get(f"/refunds?orderId={order['id']}")).json()["data"]
            assert (refund["reason"], refund["amount"]) == ("other", "1.80")
            await rig.becomes(f"/refunds/{refund['id']}", "succeeded")
            shown = (await rig.get(f"/orders/{order['id']}")).json()
            assert (shown["exception"], shown["delta"]) == (None, None)
            again = await resolve(manager, order, "refund")
            assert (again.status_code, again.json()["code"]) == (422, "NOTHING_LEFT")

    on_rig(act)


def test_above_fifty_ringgit_a_manager_alone_gives_nothing_back(on_rig):
    async def act(rig, people):
        order, manager = await unburned(rig, quantity=28), await people.manager()
        async with rig.signing():
            alone = await resolve(manager, order, "refund")
        assert (alone.status_code, alone.json()["code"]) == (403, "SECOND_PERSON_NEEDED")
        assert await rig.api.scalar("SELECT count(*) FROM refunds") == 0

    on_rig(act)


def test_while_it_goes_back_nobody_asks_again_or_hands_the_milk_over_all_the_same(on_rig):
    async def act(rig, people):
        order, manager = await unburned(rig), await people.manager()
        async with rig.signing():
            pass
        assert (await resolve(manager, order, "refund")).status_code == 200
        busy = await resolve(manager, order, "refund")
        assert (busy.status_code, busy.json()["code"]) == (409, "REFUND_IN_FLIGHT")
        let_be = await resolve(manager, order, "accept")
        assert (let_be.status_code, let_be.json()["code"]) == (409, "REFUND_IN_FLIGHT")

    on_rig(act)


def test_another_shops_manager_resolves_nothing(on_rig):
    async def act(rig, people):
        manager = await people.manager()
        order = await rig.api.order(rig.api.other_key)
        assert (await resolve(manager, order, "accept")).status_code == 404

    on_rig(act)


def test_a_payment_that_goes_back_in_parts_wants_a_second_person_above_fifty_as_well(on_rig):
    async def act(rig, people):
        signer = HandSigner(rig)
        await signer.lease("operating")
        order, manager = await rig.buy(1, quantity=40), await people.manager()
        body = {"orderId": order["id"], "reason": "spoiled", "amount": "30.00"}
        assert (await manager.call("POST", "/refunds", body)).status_code == 202
        [request] = await signer.lease("operating")
        raw = signer.sign(request, "operating")
        await signer.hand_over(request, "operating", raw)
        await signer.finalize(raw)
        again = await manager.call("POST", "/refunds", body)
        assert (again.status_code, again.json()["code"]) == (403, "SECOND_PERSON_NEEDED")

    on_rig(act)
