"""Cash-outs, from the wallet to the cash: farmers, finance, a ledger in memory."""

import asyncio

import pytest

from api.access.roles import Role
from ledger.primitives.keys import parse_address
from tests.support.api.cash import LITRE, book, check_cash_book
from tests.support.api.loyal_people import played
from tests.support.node.fake_node import CUSTOMER


@pytest.fixture
def on_rig(database, tmp_path):
    start = played(database, tmp_path)
    return lambda act, **changes: start(act, **{"float_units": LITRE, **changes})


async def farmer(people):
    return await people.member((Role.FARMER, people.union_id))


async def finance(people):
    return await people.member((Role.FINANCE, people.union_id))


async def send(rig, agreed, bill, key=CUSTOMER):
    """Send BILL to the float under a cash-out's reference, as a wallet does."""
    to = parse_address(agreed["floatAddress"], "dbill")
    rig.ledger.pay(to, bill, bytes.fromhex(agreed["reference"]), key)
    rig.ledger.make_block()
    await rig.api.level()


def pay(receipt="P-1"):
    return {"receiptNumber": receipt}


def test_a_farmer_sends_bill_and_finance_pays_what_it_was_worth_when_they_agreed(on_rig):
    async def act(rig, people):
        seller, payer = await farmer(people), await finance(people)
        agreed = await seller.ok("POST", "/cash-outs", {"bill": "10.000000"})
        assert (agreed["amount"], agreed["state"]) == ("36.00", "awaiting")
        at = f"/cash-outs/{agreed['id']}"
        early = await payer.call("POST", f"{at}/payment", pay())
        assert (early.status_code, early.json()["code"]) == (409, "NOTHING_OWED")
        await send(rig, agreed, 10 * LITRE)
        came = await seller.ok("GET", at)
        assert (came["state"], came["receivedAmount"], came["paidAmount"]) == (
            "received",
            "36.00",
            "0.00",
        )
        await check_cash_book(rig)
        paid = await payer.ok("POST", f"{at}/payment", pay("P-36"))
        assert (paid["state"], paid["paidAmount"]) == ("paid", "36.00")
        again = await payer.call("POST", f"{at}/payment", pay())
        assert (again.status_code, again.json()["code"]) == (409, "NOTHING_OWED")
        [entry] = [one for one in await book(payer) if one["kind"] == "cash_out_paid"]
        assert (entry["cash"], entry["receiptNumber"], entry["by"]) == ("-36.00", "P-36", payer.id)
        await check_cash_book(rig)

    on_rig(act)


def test_more_than_50_ringgit_takes_two_people_and_the_sum_that_they_agreed_on(on_rig):
    async def act(rig, people):
        seller, first, second = await farmer(people), await finance(people), await finance(people)
        agreed = await seller.ok("POST", "/cash-outs", {"bill": "20"})
        at = f"/cash-outs/{agreed['id']}"
        await send(rig, agreed, 20 * LITRE)
        alone = await first.call("POST", f"{at}/payment", pay())
        assert (alone.status_code, alone.json()["code"]) == (403, "SECOND_PERSON_NEEDED")
        asked = await first.ok("POST", f"{at}/approvals", pay())
        await send(rig, agreed, LITRE)
        stale = await second.ok("POST", f"/approvals/{asked['id']}/approve")
        assert (stale["state"], stale["failure"]) == ("failed", "SUM_CHANGED")
        asked = await first.ok("POST", f"{at}/approvals", pay())
        own = await first.call("POST", f"/approvals/{asked['id']}/approve")
        assert own.status_code == 403
        done = await second.ok("POST", f"/approvals/{asked['id']}/approve")
        assert done["state"] == "applied"
        assert (await seller.ok("GET", at))["paidAmount"] == "75.60"
        await check_cash_book(rig)

    on_rig(act)


def test_what_comes_later_than_agreed_is_owed_all_the_same(on_rig):
    async def act(rig, people):
        seller, payer = await farmer(people), await finance(people)
        agreed = await seller.ok("POST", "/cash-outs", {"bill": "2"})
        await rig.api.execute("UPDATE cash_outs SET expires_ms = 1, litre_sen = 900")
        await rig.api.service.money.sweep()
        at = f"/cash-outs/{agreed['id']}"
        assert (await seller.ok("GET", at))["state"] == "expired"
        await send(rig, agreed, 2 * LITRE)
        late = await payer.ok("GET", at)
        assert (late["state"], late["receivedAmount"]) == ("received", "7.20"), "at today's price"
        await payer.ok("POST", f"{at}/payment", pay())
        await send(rig, agreed, LITRE)
        assert (await seller.ok("GET", at))["state"] == "received", "what comes after is owed, too"
        await payer.ok("POST", f"{at}/payment", pay())
        await check_cash_book(rig)

    on_rig(act)


def test_what_comes_to_the_float_for_nothing_agreed_is_booked_and_owed_to_nobody(on_rig):
    async def act(rig, people):
        payer = await finance(people)
        rig.ledger.pay(rig.account_of("float"), 5 * LITRE, b"\5" * 32)
        rig.ledger.make_block()
        await rig.api.level()
        [newest, *_] = await book(payer)
        assert (newest["kind"], newest["floatBill"], newest["owedCash"]) == (
            "float_received",
            "5.000000",
            "0.00",
        )
        await check_cash_book(rig)

    on_rig(act)


def test_nobody_reads_another_s_cash_out_or_pays_their_own_or_a_shop_s_finance_the_union_s(on_rig):
    async def act(rig, people):
        seller, other = await farmer(people), await farmer(people)
        both = await people.member((Role.FARMER, people.union_id), (Role.FINANCE, people.union_id))
        shop = await people.member((Role.FINANCE, people.merchant_id))
        agreed = await seller.ok("POST", "/cash-outs", {"bill": "1"})
        at = f"/cash-outs/{agreed['id']}"
        assert (await other.call("GET", at)).status_code == 404
        assert (await other.ok("GET", "/cash-outs"))["data"] == []
        assert (await other.call("POST", f"{at}/payment", pay())).status_code == 403
        await send(rig, agreed, LITRE)
        assert (await shop.call("POST", f"{at}/payment", pay())).status_code == 404
        assert [one["id"] for one in (await both.ok("GET", "/cash-outs"))["data"]] == [agreed["id"]]
        mine = await both.ok("POST", "/cash-outs", {"bill": "1"})
        await send(rig, mine, LITRE)
        own = await both.call("POST", f"/cash-outs/{mine['id']}/payment", pay())
        assert (own.status_code, own.json()["code"]) == (409, "ONES_OWN")
        nothing = await seller.call("POST", "/cash-outs", {"bill": "0.000000"})
        assert (nothing.status_code, nothing.json()["code"]) == (422, "TOO_LITTLE")

    on_rig(act)


def test_of_many_clerks_who_pay_at_once_one_pays(on_rig):
    async def act(rig, people):
        seller, clerks = await farmer(people), [await finance(people) for _ in range(4)]
        agreed = await seller.ok("POST", "/cash-outs", {"bill": "10"})
        await send(rig, agreed, 10 * LITRE)
        at = f"/cash-outs/{agreed['id']}/payment"
        paid = await asyncio.gather(*(clerk.call("POST", at, pay()) for clerk in clerks))
        assert sorted(one.status_code for one in paid) == [200, 409, 409, 409]
        await check_cash_book(rig)

    on_rig(act)


def test_without_a_float_there_is_nowhere_to_send_anything(on_rig):
    async def act(rig, people):
        seller = await farmer(people)
        asked = await seller.call("POST", "/cash-outs", {"bill": "1"})
        assert (asked.status_code, asked.json()["code"]) == (503, "SIGNER_OFFLINE")

    on_rig(act, float_units=None)
