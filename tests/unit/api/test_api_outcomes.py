"""An outcome is never a guess: what was taken in is answered for, whatever breaks off."""

import asyncio
from collections.abc import Awaitable, Callable

from api.keys.model import new_key
from api.orders.changes import expire_orders
from ledger.primitives.amounts import Units
from ledger.primitives.keys import SigningKey
from ledger.types.transaction import Transaction
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, rig_config, rig_over, running_rig
from tests.support.node.fake_node import FOREVER, OTHER_MERCHANT, FakeNode


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


async def state_of(rig: ServiceRig, order: dict[str, object]) -> tuple[str, str | None]:
    answer = await rig.http.get(f"/api/v1/orders/{order['id']}", headers=rig.till())
    return answer.json()["state"], answer.json()["inFlight"]


async def cancelled(rig: ServiceRig, order: dict[str, object]) -> tuple[int, str]:
    answer = await rig.http.post(f"/api/v1/orders/{order['id']}/cancel", headers=rig.till())
    return answer.status_code, answer.json().get("code") or answer.json()["state"]


async def payment_state(rig: ServiceRig, payment: Transaction) -> str:
    return str(await rig.scalar(f"SELECT state FROM payments WHERE tx_hash = {sql(payment.id)}"))


def sql(raw: bytes) -> str:
    return f"decode('{raw.hex()}', 'hex')"


async def hand_in_again(rig: ServiceRig) -> None:
    """Let time pass until what is on its way is handed in again, and do that."""
    await rig.execute("UPDATE payments SET seen_ms = seen_ms - 6000 WHERE state = 'seen'")
    await rig.service.housekeeper.hand_in_again()


def test_while_a_payment_is_on_its_way_nobody_else_pays_and_nobody_cancels(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        assert (await rig.offer(order))["inFlight"] is False
        first = await rig.signed(order)
        second = await rig.signed(order, key=OTHER_MERCHANT, nonce=0)
        assert (await rig.post(order, first)).status_code == 202
        assert await state_of(rig, order) == ("awaiting_payment", first.id.hex())
        assert (await rig.offer(order))["inFlight"] is True
        refused = await rig.post(order, second)
        assert (refused.status_code, refused.json()["code"]) == (409, "PAYMENT_IN_FLIGHT")
        assert await cancelled(rig, order) == (409, "PAYMENT_IN_FLIGHT")
        assert (await rig.post(order, first)).json()["state"] == "seen"
        rig.node.make_block()
        await rig.level()
        assert await state_of(rig, order) == ("paid", None)
        assert (await rig.post(order, first)).json()["state"] == "finalised"
        assert await cancelled(rig, order) == (409, "ORDER_NOT_CANCELLABLE")

    on_rig(database, act, automatic=False)


def test_two_who_pay_in_the_same_instant_pay_once(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        await rig.paid(await rig.order())  # The other customer gets some tokens.
        give = await rig.signed(
            await rig.order(), to=address(OTHER_MERCHANT), units=Units(2_000_000), redeem=()
        )
        await rig.chain_only(give)
        order = await rig.order()
        both = [await rig.signed(order), await rig.signed(order, key=OTHER_MERCHANT)]
        answers = await asyncio.gather(*(rig.post(order, payment) for payment in both))
        assert sorted(answer.status_code for answer in answers) == [202, 409]
        rig.node.make_block()
        await rig.level()
        assert await state_of(rig, order) == ("paid", None)
        paid = f"SELECT count(*) FROM payments WHERE order_id = '{order['id']}'"
        assert await rig.scalar(paid) == 1

    on_rig(database, act, automatic=False)


def test_a_worker_that_has_just_begun_answers_for_what_is_on_its_way(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        node, keys = FakeNode(automatic=False), (new_key(), new_key())
        async with database.fresh_database() as url:
            config = rig_config(url, keys)
            async with rig_over(config, node, keys=keys, ready=True) as rig:
                order = await rig.order()
                first = await rig.signed(order)
                second = await rig.signed(order, key=OTHER_MERCHANT, nonce=0)
                assert (await rig.post(order, first)).status_code == 202
            node.silence()
            async with rig_over(config, node, keys=keys) as rig:
                refused = await rig.post(order, second)
                assert (refused.status_code, refused.json()["code"]) == (409, "PAYMENT_IN_FLIGHT")
                again = await rig.post(order, first)
                assert (again.status_code, again.json()["state"]) == (202, "seen")

    asyncio.run(run())


def address(key: SigningKey) -> object:
    from ledger.primitives.keys import address_of

    return address_of(key.public)


def test_what_a_node_lost_is_handed_in_again_and_the_order_does_not_expire_under_it(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order)
        assert (await rig.post(order, payment)).status_code == 202
        rig.node.forget_waiting()
        late_ms = rig.service.now_ms() + 60_000
        assert await expire_orders(rig.service.engine, late_ms, late_ms) == 0
        await hand_in_again(rig)
        rig.node.make_block(time_ms=late_ms)
        await rig.level()
        assert await state_of(rig, order) == ("paid", None)
        answer = await rig.validate(payment)
        assert answer.json()["valid"] is True
        read = await rig.http.get(f"/api/v1/payments/{payment.id.hex()}", headers=rig.till())
        assert read.json()["outcome"] == "succeeded", "it was in time: its bytes were here"
        assert await rig.scalar("SELECT count(*) FROM payments WHERE raw IS NOT NULL") == 0

    on_rig(database, act, automatic=False, order_ttl_s=10)


def test_a_payment_past_its_height_frees_its_order(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order, valid_until_height=2)
        assert (await rig.post(order, payment)).status_code == 202
        rig.node.forget_waiting()
        rig.node.make_block()
        await rig.level()
        await rig.service.housekeeper.hand_in_again()
        assert await payment_state(rig, payment) == "seen", "block 2 could still take it"
        rig.node.make_block()
        await rig.level()
        await hand_in_again(rig)
        assert await payment_state(rig, payment) == "refused"
        assert await state_of(rig, order) == ("awaiting_payment", None)
        again = await rig.signed(order, valid_until_height=FOREVER)
        assert (await rig.post(order, again)).status_code == 202
        rig.node.make_block()
        await rig.level()
        assert await state_of(rig, order) == ("paid", None)

    on_rig(database, act, automatic=False)


def test_a_payment_whose_nonce_another_one_used_frees_its_order(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order, other = await rig.order(), await rig.order()
        payment = await rig.signed(order)
        assert (await rig.post(order, payment)).status_code == 202
        rig.node.forget_waiting()
        await rig.chain_only(await rig.signed(other, nonce=0))
        await rig.level()
        await hand_in_again(rig)
        assert await payment_state(rig, payment) == "refused"
        assert await state_of(rig, order) == ("awaiting_payment", None)

    on_rig(database, act, automatic=False)


def test_a_forged_signature_takes_no_payment_s_place(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        good = await rig.signed(order)
        forged = Transaction(good.intent, ((0, b"\1" * 64),))  # type: ignore[arg-type]
        assert forged.id == good.id
        answer = await rig.post(order, forged)
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_SIGNATURE")
        assert await state_of(rig, order) == ("awaiting_payment", None)
        assert (await rig.post(order, good)).status_code == 202
        rig.node.make_block()
        assert (await rig.validate(good, wait=5)).json()["valid"] is True

    on_rig(database, act, automatic=False)


def test_what_no_node_took_is_refused_and_the_same_bytes_may_come_again(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order)
        rig.node.silence()
        away = await rig.post(order, payment)
        assert (away.status_code, away.json()["code"]) == (503, "LEDGER_UNAVAILABLE")
        assert await state_of(rig, order) == ("awaiting_payment", None)
        rig.node.silence(silent=False)
        assert (await rig.post(order, payment)).status_code == 202
        await rig.level()
        assert await state_of(rig, order) == ("paid", None)

    on_rig(database, act)


def test_a_transfer_without_our_reference_is_kept_as_unmatched(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        for reference in (bytes(32), b"?" * 32):
            stray = await rig.signed(order, reference=reference, redeem=())
            await rig.chain_only(stray)
            await rig.level()
            read = await rig.http.get(f"/api/v1/payments/{stray.id.hex()}", headers=rig.till())
            told = read.json()
            assert (told["outcome"], told["orderId"], told["quote"]) == ("unmatched", None, None)
            in_ringgit = await rig.validate(stray)
            assert in_ringgit.json()["error"] == "NO_QUOTE"
            assert (await rig.validate(stray, "0.5", currency="BILL")).json()["valid"] is True
            wrong = await rig.validate(stray, "0.4", currency="BILL")
            assert wrong.json()["error"] == "AMOUNT_MISMATCH"
            foreign = await rig.validate(stray, key=rig.other_key)
            assert foreign.json()["error"] == "TX_NOT_FOUND"
        assert await state_of(rig, order) == ("awaiting_payment", None)
        told = await rig.scalar("SELECT count(*) FROM events WHERE kind = 'payment.unmatched'")
        assert told == 2

    on_rig(database, act)


def test_a_wait_outlasts_the_news_that_a_payment_was_submitted(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order)
        await rig.post(order, payment)
        asked = asyncio.create_task(rig.validate(payment, wait=10))
        await asyncio.sleep(0.3)  # The feed tells of the submission meanwhile.
        assert not asked.done()
        rig.node.make_block()
        assert (await asked).json()["valid"] is True

    on_rig(database, act, automatic=False)


async def outcome(rig: ServiceRig, tx_hash: str) -> tuple[int, object, object]:
    answer = await rig.http.get(f"/api/v1/transactions/{tx_hash}")
    told = answer.json()
    return answer.status_code, told.get("status"), told.get("code")


def test_a_wallet_is_told_what_became_of_what_it_signed(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order)
        tx_hash = payment.id.hex()
        assert await outcome(rig, tx_hash) == (200, "never_seen", None)
        await rig.post(order, payment)
        assert await outcome(rig, tx_hash) == (200, "taken", None)
        rig.node.forget_waiting()
        assert await outcome(rig, tx_hash) == (200, "taken", None), "we still have its bytes"
        await hand_in_again(rig)
        rig.node.make_block()
        await rig.level()
        assert await outcome(rig, tx_hash) == (200, "final", None)
        poor = await rig.signed(await rig.order(), key=OTHER_MERCHANT)
        await rig.post(await rig.order(), poor)
        assert await outcome(rig, poor.id.hex()) == (200, "never_seen", None), "of another order"
        bad = await rig.signed(order, nonce=99)
        other = await rig.order()
        late = await rig.signed(other, nonce=99)
        assert (await rig.post(other, late)).json()["code"] == "BAD_NONCE"
        assert await outcome(rig, late.id.hex()) == (200, "refused", "BAD_NONCE")
        assert (await rig.http.get("/api/v1/transactions/xyz")).status_code == 400
        rig.node.silence()
        assert (await outcome(rig, bad.id.hex()))[0] == 503, "not known is not never"
        assert await outcome(rig, tx_hash) == (200, "final", None)

    on_rig(database, act, automatic=False)
