"""Top-ups, from the cash to the wallet: people, tills, a real signer, a ledger in memory."""

import asyncio

import pytest
from ulid import ULID

from ledger.primitives.keys import address_of, format_address
from tests.support.api.cash import (
    LITRE,
    becomes,
    book,
    check_cash_book,
    receipt,
    wallet_key,
)
from tests.support.api.loyal_people import played, student
from tests.support.api.people_rig import PIN
from tests.support.api.wallet_proofs import link
from tests.unit.api.test_api_wallets import login

FLOAT = 100 * LITRE


@pytest.fixture
def on_rig(database, tmp_path):
    start = played(database, tmp_path)
    return lambda act, **changes: start(act, **{"float_units": FLOAT, **changes})


def test_a_student_without_a_bill_pays_cash_at_the_office_and_has_some(on_rig):
    async def act(rig, people):
        officer, key = await people.officer(), wallet_key("poor")
        async with rig.signing():
            poor = await student(people, key)
            asked = await officer.ok("POST", "/top-ups", receipt(userId=poor.id, amount="18.00"))
            assert (asked["amount"], asked["bill"], asked["price"]) == ("18.00", "5.000000", "3.60")
            assert asked["linked"] is True
            done = await becomes(officer, f"/top-ups/{asked['id']}", "succeeded")
            assert done["txHash"] is not None
        held = (await rig.ledger.account(address_of(key.public))).units
        assert held == 5 * LITRE + 10_000, "and the welcome, for its first fees"
        kinds = [one["kind"] for one in await book(officer)]
        assert sorted(kinds) == ["float_received", "top_up_sent", "top_up_taken", "welcome_sent"]
        assert kinds.index("top_up_sent") < kinds.index("top_up_taken"), "the newest is first"
        await check_cash_book(rig)

    on_rig(act)


def test_a_till_takes_cash_for_a_wallet_that_nobody_has_linked(on_rig):
    async def act(rig, people):
        manager, cashier, key = await people.manager(), await people.cashier(), wallet_key("new")
        till = await people.till(manager)
        to = format_address(address_of(key.public), "dbill")
        body = receipt(address=to, amount="3.60")
        async with rig.signing():
            alone = await _at(till, "/top-ups", body)
            assert (alone.status_code, alone.json()["code"]) == (403, "NO_CASHIER")
            await till_shift(till, cashier)
            asked = (await _at(till, "/top-ups", body)).json()
            assert (asked["linked"], asked["placeId"]) == (False, people.merchant_id)
            shown = await becomes(till, f"/top-ups/{asked['id']}", "succeeded")
            assert shown["bill"] == "1.000000"
        assert (await rig.ledger.account(address_of(key.public))).units == LITRE
        await check_cash_book(rig)

    on_rig(act)


def test_one_person_gives_somebody_50_ringgit_a_day_over_all_their_wallets(on_rig):
    async def act(rig, people):
        officer, keys = await people.officer(), [wallet_key("one"), wallet_key("two")]
        rich = await student(people, keys[0])
        rich.token = (await login(people, keys[0])).json()["accessToken"]
        await _link(rich, keys[1])
        async with rig.signing():
            several = await officer.call("POST", "/top-ups", receipt(userId=rich.id, amount="1"))
            assert (several.status_code, several.json()["code"]) == (422, "NAME_THE_WALLET")
            first, second = (format_address(address_of(key.public), "dbill") for key in keys)
            begun = [
                await officer.call("POST", "/top-ups", receipt(address=to, amount=amount))
                for to, amount in ((first, "30.00"), (second, "20.01"), (second, "20.00"))
            ]
            assert [one.status_code for one in begun] == [202, 403, 202]
            assert begun[1].json()["code"] == "SECOND_PERSON_NEEDED"
            more = await officer.call("POST", "/top-ups", receipt(userId=rich.id, address=first))
            assert more.status_code == 403

    on_rig(act)


def test_of_many_tills_that_top_somebody_up_at_once_the_day_s_limit_stops_all_but_some(on_rig):
    async def act(rig, people):
        officer = await people.officer()
        poor = await student(people, wallet_key("poor"))
        async with rig.signing():
            asked = await asyncio.gather(
                *(
                    officer.call("POST", "/top-ups", receipt(userId=poor.id, amount="20.00"))
                    for _ in range(5)
                )
            )
        assert sorted(one.status_code for one in asked) == [202, 202, 403, 403, 403]

    on_rig(act)


def test_two_officers_give_more_and_neither_is_the_one_who_gets_it(on_rig):
    async def act(rig, people):
        first, second = await people.officer(), await people.officer()
        poor = await student(people, wallet_key("poor"))
        body = receipt(userId=poor.id, amount="120.00")
        async with rig.signing():
            asked = await first.ok("POST", "/top-ups/approvals", body)
            assert "address" not in str(asked["wish"]).lower()
            own = await first.call("POST", f"/approvals/{asked['id']}/approve")
            assert own.status_code == 403
            done = await second.ok("POST", f"/approvals/{asked['id']}/approve")
            assert (done["state"], done["failure"]) == ("applied", "")
            [begun] = (await first.ok("GET", "/top-ups"))["data"]
            assert (begun["twoOfficers"], begun["amount"]) == (True, "120.00")
            await becomes(first, f"/top-ups/{begun['id']}", "succeeded")
            stranger = format_address(address_of(wallet_key("nobody").public), "dbill")
            unknown = await first.call("POST", "/top-ups/approvals", receipt(address=stranger))
            assert (unknown.status_code, unknown.json()["code"]) == (422, "NO_WALLET")
            most = await first.ok(
                "POST", "/top-ups/approvals", receipt(userId=poor.id, amount="880.01")
            )
            failed = await second.ok("POST", f"/approvals/{most['id']}/approve")
            assert (failed["state"], failed["failure"]) in (
                ("failed", "FLOAT_LOW"),
                ("failed", "DAY_USED_UP"),
            )
        await check_cash_book(rig)

    on_rig(act)


def test_a_float_that_is_low_is_told_before_cash_is_taken_and_counted_for_an_alert(on_rig):
    async def act(rig, people):
        officer = await people.officer()
        poor, other = [await student(people, wallet_key(name)) for name in ("poor", "other")]
        async with rig.signing():
            pass
        begun = await officer.call("POST", "/top-ups", receipt(userId=poor.id, amount="4.00"))
        assert begun.status_code == 202  # It was heard a moment ago, and it holds 2 litres.
        low = await officer.call("POST", "/top-ups", receipt(userId=other.id, amount="4.00"))
        assert (low.status_code, low.json()["code"]) == (409, "FLOAT_LOW")
        metrics = rig.api.service.metrics.render().decode()
        assert f'float_refusals_total{{union="{people.union_id}"}} 1.0' in metrics
        assert await rig.api.scalar("SELECT count(*) FROM top_ups") == 1
        taken = "SELECT count(*) FROM cash_entries WHERE kind = 'top_up_taken'"
        assert await rig.api.scalar(taken) == 1

    on_rig(act, float_units=2 * LITRE)


def test_a_receipt_is_good_once_and_a_request_that_comes_again_is_one_top_up(on_rig):
    async def act(rig, people):
        officer = await people.officer()
        poor = await student(people, wallet_key("poor"))
        body, again = receipt(userId=poor.id, amount="5.00"), {"Idempotency-Key": str(ULID())}
        async with rig.signing():
            first = await officer.call("POST", "/top-ups", body, **again)
            replay = await officer.call("POST", "/top-ups", body, **again)
            assert replay.headers["idempotent-replayed"] == "true"
            assert first.json() == replay.json()
            twice = await officer.call("POST", "/top-ups", body)
            assert (twice.status_code, twice.json()["code"]) == (409, "RECEIPT_USED")
            await becomes(officer, f"/top-ups/{first.json()['id']}", "succeeded")
        assert await rig.api.scalar("SELECT count(*) FROM top_ups") == 1
        await check_cash_book(rig)

    on_rig(act)


def test_cash_goes_back_while_nothing_was_sent_and_never_after(on_rig):
    async def act(rig, people):
        officer = await people.officer()
        poor = await student(people, wallet_key("poor"))
        async with rig.signing():
            pass
        asked = await officer.ok("POST", "/top-ups", receipt(userId=poor.id, amount="5.00"))
        at = f"/top-ups/{asked['id']}"
        for _ in range(2):
            back = await officer.ok("POST", f"{at}/reverse")
            assert back["state"] == "reversed"
        async with rig.signing():
            sent = await officer.ok("POST", "/top-ups", receipt(userId=poor.id, amount="5.00"))
            await becomes(officer, f"/top-ups/{sent['id']}", "succeeded")
            late = await officer.call("POST", f"/top-ups/{sent['id']}/reverse")
            assert (late.status_code, late.json()["code"]) == (409, "TOP_UP_IN_FLIGHT")
            assert (await officer.ok("GET", at))["state"] == "reversed"
        kinds = [one["kind"] for one in await book(officer)]
        assert kinds.count("top_up_returned") == 1
        await check_cash_book(rig)

    on_rig(act)


def test_what_the_signer_refuses_sends_nothing_and_its_cash_goes_back(on_rig):
    async def act(rig, people):
        officer = await people.officer()
        poor = await student(people, wallet_key("poor"))
        async with rig.signing(limits=()):
            asked = await officer.ok("POST", "/top-ups", receipt(userId=poor.id, amount="5.00"))
            failed = await becomes(officer, f"/top-ups/{asked['id']}", "failed")
            assert failed["code"] == "KIND_NOT_ALLOWED"
        await check_cash_book(rig)
        assert (await officer.ok("POST", f"/top-ups/{asked['id']}/reverse"))["state"] == "reversed"
        await check_cash_book(rig)

    on_rig(act)


def test_nobody_takes_their_own_cash_and_another_shop_s_receipt_is_not_there(on_rig):
    async def act(rig, people):
        officer, manager, cashier = (
            await people.officer(),
            await people.manager(),
            await people.cashier(),
        )
        poor = await student(people, wallet_key("poor"))
        till = await people.till(manager)
        await till_shift(till, cashier)
        async with rig.signing():
            own = await officer.call("POST", "/top-ups", receipt(userId=officer.id))
            assert (own.status_code, own.json()["code"]) == (409, "ONES_OWN")
            here = await officer.ok("POST", "/top-ups", receipt(userId=poor.id))
            foreign = await till.call("GET", f"/top-ups/{here['id']}")
            taken_back = await till.call("POST", f"/top-ups/{here['id']}/reverse")
            assert (foreign.status_code, taken_back.status_code) == (404, 404)
            assert (await till.call("GET", "/top-ups")).json()["data"] == []
            unknown = await officer.call("POST", "/top-ups", receipt(userId=str(ULID())))
            assert unknown.status_code == 404
            nothing = await officer.call("POST", "/top-ups", receipt(userId=poor.id, amount="0"))
            assert (nothing.status_code, nothing.json()["code"]) == (422, "TOO_LITTLE")
            nobody = await officer.call("POST", "/top-ups", receipt())
            assert (nobody.status_code, nobody.json()["code"]) == (400, "MALFORMED_REQUEST")

    on_rig(act)


def test_without_a_float_nobody_is_topped_up_and_links_work_all_the_same(on_rig):
    async def act(rig, people):
        officer = await people.officer()
        poor = await student(people, wallet_key("poor"))
        asked = await officer.call("POST", "/top-ups", receipt(userId=poor.id))
        assert (asked.status_code, asked.json()["code"]) == (503, "SIGNER_OFFLINE")
        assert await rig.api.scalar("SELECT count(*) FROM welcomes") == 0

    on_rig(act, float_units=None)


async def till_shift(till, cashier):
    body = {"staffCode": cashier.staff_code, "pin": PIN}
    answer = await till.call("POST", "/cashier-sessions", body)
    assert answer.is_success, answer.text
    till.token = answer.json()["accessToken"]


async def _at(till, path, body):
    headers = {"Authorization": f"Bearer {till.token}", "Idempotency-Key": str(ULID())}
    return await till.rig.http.post(f"/api/v1{path}", json=body, headers=headers)


async def _link(person, key):
    assert (await link(person, key)).status_code == 200
