"""Refunds, from the question to the chain: a real signer beside the service, a ledger in memory."""

import asyncio

import pytest
from sqlalchemy import text

from api.signing.accounts import SILENT_MS
from ledger.primitives.keys import address_of
from tests.support.api.signing_rig import FUNDS, running_signing_rig
from tests.support.node.fake_node import CUSTOMER, MERCHANT
from tests.support.system.patience import PATIENCE_S


@pytest.fixture
def on_rig(database, tmp_path):
    def start(act, **changes):
        async def run():
            async with running_signing_rig(database, tmp_path, **changes) as rig:
                await act(rig)

        asyncio.run(run())

    return start


async def spent(rig):
    return FUNDS - (await rig.ledger.account(rig.account)).units


def test_a_refund_gives_back_what_was_paid_to_whoever_paid_it(on_rig):
    async def act(rig):
        order = await rig.api.order()
        paid = await rig.api.paid(order)
        async with rig.signing():
            asked = await rig.refund(orderId=order["id"])
            assert asked.status_code == 202, asked.text
            refund = await rig.becomes(f"/refunds/{asked.json()['id']}", "succeeded")
        assert (refund["amount"], refund["bill"]) == ("1.80", order["amount"]["bill"])
        assert refund["txHash"] == paid.id.hex()
        back = await rig.ledger.transaction(bytes.fromhex(refund["refundTxHash"]))
        assert back.code == ""
        shown = (await rig.get(f"/orders/{order['id']}")).json()
        assert shown["state"] == "refunded"
        verdict = (await rig.api.validate(paid)).json()
        assert (verdict["valid"], verdict["error"]) == (False, "TX_REFUNDED")

    on_rig(act)


def test_parts_add_up_to_all_of_it_and_no_more(on_rig):
    async def act(rig):
        order = await rig.api.order()
        await rig.api.paid(order)
        async with rig.signing():
            units = 0
            for amount, state in (("0.70", "partially_refunded"), (None, "refunded")):
                body = {"orderId": order["id"]} | ({"amount": amount} if amount else {})
                asked = (await rig.refund(**body)).json()
                shown = await rig.becomes(f"/refunds/{asked['id']}", "succeeded")
                units += int(shown["bill"].replace(".", ""))
                await rig.becomes(f"/orders/{order['id']}", state)
            assert units == int(order["amount"]["bill"].replace(".", ""))
            more = await rig.refund(orderId=order["id"])
            assert (more.status_code, more.json()["code"]) == (422, "NOTHING_LEFT")
        listed = (await rig.get(f"/refunds?orderId={order['id']}")).json()["data"]
        assert {one["amount"] for one in listed} == {"1.10", "0.70"}

    on_rig(act)


def test_what_was_paid_twice_goes_back_by_itself(on_rig):
    async def act(rig):
        order = await rig.api.order()
        offer = await rig.api.offer(order)
        first, second = [
            await rig.api.signed(order, nonce=nonce) for nonce in (_next(rig), _next(rig) + 1)
        ]
        assert offer["orderId"] == order["id"]
        await rig.api.chain_only(first)
        await rig.api.chain_only(second)
        await rig.api.level()
        async with rig.signing():
            [refund] = (await rig.get("/refunds")).json()["data"]
            assert (refund["reason"], refund["automatic"]) == ("duplicate", True)
            assert refund["txHash"] == second.id.hex()
            await rig.becomes(f"/refunds/{refund['id']}", "succeeded")
        shown = await rig.becomes(f"/orders/{order['id']}", None, "exception")
        assert shown["state"] == "paid"
        assert (await rig.api.validate(first)).json()["valid"] is True

    on_rig(act)


def _next(rig):
    return rig.ledger.next_nonce(CUSTOMER)


def test_what_was_paid_too_much_goes_back_by_itself(on_rig):
    async def act(rig):
        order = await rig.api.order()
        due = int(order["amount"]["bill"].replace(".", ""))
        await rig.api.chain_only(await rig.api.signed(order, units=due + 12_345))
        await rig.api.level()
        async with rig.signing():
            [refund] = (await rig.get("/refunds")).json()["data"]
            assert (refund["reason"], refund["bill"]) == ("overpaid", "0.012345")
            await rig.becomes(f"/refunds/{refund['id']}", "succeeded")
            shown = await rig.becomes(f"/orders/{order['id']}", None, "exception")
            assert shown["state"] == "paid"
            rest = (await rig.refund(orderId=order["id"])).json()
            assert (rest["bill"], rest["amount"]) == (order["amount"]["bill"], "1.80")

    on_rig(act)


def test_a_silent_signer_is_told_and_nothing_is_lost(on_rig):
    async def act(rig):
        order = await rig.api.order()
        await rig.api.paid(order)
        refused = await rig.refund(orderId=order["id"])
        assert (refused.status_code, refused.json()["code"]) == (503, "SIGNER_OFFLINE")
        async with rig.signing():
            pass
        asked = await rig.refund(orderId=order["id"])
        assert asked.status_code == 202  # It was heard a moment ago.
        await rig.api.execute(f"UPDATE signers SET seen_ms = seen_ms - {SILENT_MS + 1}")
        late = await rig.refund(orderId=order["id"])
        assert (late.status_code, late.json()["code"]) == (503, "SIGNER_OFFLINE")
        async with rig.signing():
            await rig.becomes(f"/refunds/{asked.json()['id']}", "succeeded")

    on_rig(act)


def test_a_merchant_without_a_signer_refunds_nothing_and_a_strangers_order_is_not_there(on_rig):
    async def act(rig):
        mine = await rig.api.order()
        await rig.api.paid(mine)
        theirs = await rig.refund(rig.api.other_key, orderId=mine["id"])
        assert (theirs.status_code, theirs.json()["code"]) == (503, "SIGNER_OFFLINE")
        async with rig.signing():
            pass
        other = await rig.api.order(rig.api.other_key)
        foreign = await rig.refund(orderId=other["id"])
        assert foreign.status_code == 404
        unpaid = await rig.refund(orderId=(await rig.api.order())["id"])
        assert unpaid.status_code == 404

    on_rig(act)


def test_one_refund_of_a_payment_is_on_its_way_at_a_time(on_rig):
    async def act(rig):
        order = await rig.api.order()
        await rig.api.paid(order)
        async with rig.signing():
            pass
        first = await rig.refund(orderId=order["id"], amount="0.50")
        second = await rig.refund(orderId=order["id"], amount="0.50")
        assert (second.status_code, second.json()["code"]) == (409, "REFUND_IN_FLIGHT")
        assert first.json()["state"] == "pending"

    on_rig(act)


def test_what_the_signer_refuses_has_failed_with_its_code(on_rig):
    async def act(rig):
        order = await rig.api.order()
        await rig.api.paid(order)
        async with rig.signing(limits=()):
            asked = (await rig.refund(orderId=order["id"])).json()
            shown = await rig.becomes(f"/refunds/{asked['id']}", "failed")
            assert shown["code"] == "KIND_NOT_ALLOWED"
        async with rig.signing():
            again = (await rig.refund(orderId=order["id"])).json()
            await rig.becomes(f"/refunds/{again['id']}", "succeeded")

    on_rig(act)


def test_what_came_into_no_block_is_asked_for_anew_and_paid_once(on_rig):
    async def act(rig):
        order = await rig.api.order()
        await rig.api.paid(order)
        rig.ledger.automatic = False
        async with rig.signing():
            asked = (await rig.refund(orderId=order["id"])).json()
            await rig.becomes(f"/refunds/{asked['id']}", "submitted")
            rig.ledger.forget_waiting()
            for _ in range(25):
                rig.ledger.make_block()
            await rig.api.level()
            async with asyncio.timeout(PATIENCE_S):
                while await rig.api.scalar("SELECT count(*) FROM signing_requests") != 2:
                    await rig.api.service.money.office.run_once()
                    await asyncio.sleep(0.05)
            rig.ledger.automatic = True
            shown = await rig.becomes(f"/refunds/{asked['id']}", "succeeded")
        assert shown["bill"] == order["amount"]["bill"]
        fee = 200
        assert await spent(rig) < int(order["amount"]["bill"].replace(".", "")) + fee + 1_000

    on_rig(act)


def test_what_came_for_no_order_goes_back_by_its_hash_alone(on_rig):
    async def act(rig):
        payout = address_of(MERCHANT.public)
        tx_hash = rig.ledger.pay(payout, 400_000)
        rig.ledger.make_block()
        await rig.api.level()
        async with rig.signing():
            part = await rig.refund(txHash=tx_hash.hex(), amount="0.10")
            assert (part.status_code, part.json()["code"]) == (422, "NO_QUOTE")
            asked = (await rig.refund(txHash=tx_hash.hex(), reason="unmatched")).json()
            shown = await rig.becomes(f"/refunds/{asked['id']}", "succeeded")
        assert (shown["bill"], shown["amount"], shown["orderId"]) == ("0.400000", None, None)

    on_rig(act)


def test_the_same_key_asks_once(on_rig):
    async def act(rig):
        order = await rig.api.order()
        await rig.api.paid(order)
        async with rig.signing():
            pass
        body = {"reason": "spoiled", "orderId": order["id"], "amount": "0.50"}
        headers = {"Idempotency-Key": "once"}
        first, second = [await rig.post("/refunds", body, **headers) for _ in range(2)]
        assert first.json() == second.json()
        assert second.headers["Idempotent-Replayed"] == "true"
        assert await rig.api.scalar("SELECT count(*) FROM refunds") == 1

    on_rig(act)


@pytest.mark.parametrize(
    "body",
    [
        {"reason": "spoiled"},
        {"reason": "spoiled", "orderId": "x", "txHash": "0" * 64},
        {"reason": "because", "orderId": "x"},
        {"reason": "spoiled", "orderId": "x", "amount": "-1.00"},
        {"reason": "spoiled", "orderId": "x", "to": "me"},
    ],
)
def test_a_refund_that_is_not_understood_is_not_asked_for(on_rig, body):
    async def act(rig):
        answer = await rig.post("/refunds", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_REQUEST")

    on_rig(act)


def test_packs_that_were_not_handed_over_stand_on_the_shelf_again(on_rig):
    async def act(rig):
        order = await rig.api.order(quantity=2)
        await rig.api.paid(order)
        async with rig.signing():
            asked = (await rig.refund(orderId=order["id"], reason="not_handed_over")).json()
            await rig.becomes(f"/refunds/{asked['id']}", "succeeded")
        async with rig.api.service.engine.connect() as connection:
            rows = (await connection.execute(text("SELECT * FROM returned_packs"))).all()
        [row] = rows
        assert (row.kind, row.pack_units, row.packs, row.packs_left) == ("whole", 200_000, 2, 2)

    on_rig(act)
