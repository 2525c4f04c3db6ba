"""The validation endpoint: every row of its table, over a real database and the real ledger."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text

from api.orders.changes import expire_orders
from api.payments.model import Outcome
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.types.transfer import Redemption
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig, until

URL = "/api/v1/payments/validate"
ANY_HASH = "ab" * 32


def said(answer: httpx.Response) -> tuple[int, object, object]:
    """Give status, verdict and error of an answer."""
    body = answer.json()
    return answer.status_code, body.get("valid"), body.get("error")


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


def test_an_exact_final_payment_is_valid_in_ringgit_and_in_bill(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        paid = await rig.paid(await rig.order())
        for amount in ("1.80", "1.8"):
            answer = await rig.validate(paid, amount)
            assert said(answer) == (200, True, None)
            assert answer.json()["confirmedAt"].endswith("Z")
        assert said(await rig.validate(paid, "0.500000", currency="BILL")) == (200, True, None)
        assert said(await rig.validate(paid.id.hex().upper())) == (200, True, None)
        as_number = f'{{"txHash":"{paid.id.hex()}","expectedAmount":1.80}}'
        headers = {**rig.till(), "Content-Type": "application/json"}
        answer = await rig.http.post(URL, content=as_number, headers=headers)
        assert said(answer) == (200, True, None)

    on_rig(database, act)


def test_an_unknown_payment_and_anothers_payment_get_the_same_answer(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        unknown = await rig.validate(ANY_HASH)
        assert said(unknown) == (200, False, "TX_NOT_FOUND")
        paid = await rig.paid(await rig.order())
        foreign = await rig.validate(paid, key=rig.other_key)
        assert foreign.content == unknown.content

    on_rig(database, act)


def test_a_payment_on_its_way_is_unconfirmed_and_asks_to_come_back(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        transaction = await rig.signed(order)
        assert (await rig.post(order, transaction)).status_code == 202
        answer = await rig.validate(transaction)
        assert said(answer) == (200, False, "TX_UNCONFIRMED")
        assert answer.headers["retry-after"] == "1"
        foreign = await rig.validate(transaction, key=rig.other_key)
        assert said(foreign) == (200, False, "TX_NOT_FOUND")

    on_rig(database, act, automatic=False)


def test_waiting_holds_the_answer_until_finality(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        transaction = await rig.signed(order)
        await rig.post(order, transaction)
        asked = asyncio.create_task(rig.validate(transaction, wait=3))
        await until(lambda: len(rig.service.waiters) == 1)
        rig.node.make_block()
        answer = await asked
        assert said(answer) == (200, True, None)
        assert answer.headers["preference-applied"] == "wait=3"

    on_rig(database, act, automatic=False)


def test_who_waits_when_the_service_ends_is_told_what_is_known(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        transaction = await rig.signed(order)
        await rig.post(order, transaction)
        asked = asyncio.create_task(rig.validate(transaction, wait=10))
        await until(lambda: len(rig.service.waiters) == 1)
        rig.service.waiters.close()
        async with asyncio.timeout(5):
            assert said(await asked) == (200, False, "TX_UNCONFIRMED")
            late = await rig.validate(transaction, wait=10)
        assert said(late) == (200, False, "TX_UNCONFIRMED")
        assert len(rig.service.waiters) == 0

    on_rig(database, act, automatic=False)


def test_a_wait_that_ends_before_finality_is_unconfirmed(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        transaction = await rig.signed(order)
        await rig.post(order, transaction)
        answer = await rig.validate(transaction, wait=1)
        assert said(answer) == (200, False, "TX_UNCONFIRMED")
        assert len(rig.service.waiters) == 0

    on_rig(database, act, automatic=False)


def test_a_payment_past_the_service_is_found_on_the_node(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        transaction = await rig.signed(order)
        await rig.node.submit([_raw(transaction)])
        assert said(await rig.validate(transaction)) == (200, False, "TX_UNCONFIRMED")
        foreign = await rig.validate(transaction, key=rig.other_key)
        assert said(foreign) == (200, False, "TX_NOT_FOUND")
        rig.node.make_block()
        # Whether the follower or this request settles it first, it is settled.
        assert said(await rig.validate(transaction, wait=3)) == (200, True, None)

    on_rig(database, act, automatic=False)


def _raw(transaction: object) -> bytes:
    from ledger.primitives.codec import encode

    return encode(transaction)


@pytest.mark.parametrize(
    ("units", "redeemed"), [(499_999, 200_000), (500_001, 200_000), (500_000, 200_001)]
)
def test_too_little_or_too_much_is_a_mismatch_with_its_time(
    database: TestDatabase, units: int, redeemed: int
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        lot = Hash(bytes.fromhex(order["redeem"][0]["lot"]))
        wrong = await rig.signed(
            order, units=Units(units), redeem=(Redemption(lot, Units(redeemed)),)
        )
        await rig.chain_only(wrong)
        await rig.level()
        answer = await rig.validate(wrong)
        assert said(answer) == (200, False, "AMOUNT_MISMATCH")
        assert answer.json()["confirmedAt"] is not None

    on_rig(database, act)


def test_the_amount_is_compared_with_the_quote_to_the_sen(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        paid = await rig.paid(await rig.order())
        for amount, more in (("1.79", {}), ("1.81", {}), ("0.500001", {"currency": "BILL"})):
            answer = await rig.validate(paid, amount, **more)
            assert said(answer) == (200, False, "AMOUNT_MISMATCH")
            assert answer.json()["confirmedAt"] is not None

    on_rig(database, act)


def test_a_transaction_that_failed_on_the_ledger_is_failed(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        rich = rig.node.units_of(_customer()) - 100
        drain = await rig.signed(order, units=Units(rich - 200), reference=bytes(32), redeem=())
        paying = await rig.signed(order, nonce=1)
        await rig.node.submit([_raw(drain)])
        # The pool's check looks at the last block; the money is gone when it is executed.
        await rig.node.submit([_raw(paying)])
        rig.node.make_block()
        await rig.level()
        assert said(await rig.validate(paying)) == (200, False, "TX_FAILED")
        state = await rig.scalar(f"SELECT state FROM orders WHERE id = '{order['id']}'")
        assert state == "awaiting_payment"

    on_rig(database, act, automatic=False)


def _customer() -> object:
    from tests.support.node.fake_node import CUSTOMER

    return CUSTOMER


def test_a_refunded_payment_is_refunded(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        paid = await rig.paid(await rig.order())
        await rig.execute("UPDATE payments SET refunded_units = 500000")
        assert said(await rig.validate(paid)) == (200, False, "TX_REFUNDED")

    on_rig(database, act)


def test_a_second_payment_of_one_order_is_already_used(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        first = await rig.paid(order)
        second = await rig.signed(order)
        assert second.id != first.id
        await rig.chain_only(second)
        await rig.level()
        assert said(await rig.validate(second)) == (200, False, "TX_ALREADY_USED")
        assert said(await rig.validate(first)) == (200, True, None)
        read = await rig.http.get(f"/api/v1/orders/{order['id']}", headers=rig.till())
        assert read.json()["exception"] == Outcome.DUPLICATE
        assert read.json()["delta"] == "0.500000"

    on_rig(database, act)


def test_of_two_late_payments_in_one_block_one_is_valid(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        both = [await rig.signed(order, nonce=nonce) for nonce in (0, 1)]
        late_ms = rig.service.now_ms() + 11_000
        await expire_orders(rig.service.engine, late_ms, late_ms)
        await rig.node.submit([_raw(payment) for payment in both])
        rig.node.make_block(time_ms=late_ms)
        await rig.level()
        assert said(await rig.validate(both[0])) == (200, True, None)
        assert said(await rig.validate(both[1])) == (200, False, "TX_ALREADY_USED")
        assert await read(rig, order) == ("paid", "duplicate", "0.500000")

    on_rig(database, act, automatic=False, order_ttl_s=10)


async def read(rig: ServiceRig, order: dict[str, object]) -> tuple[str, str | None, str | None]:
    answer = await rig.http.get(f"/api/v1/orders/{order['id']}", headers=rig.till())
    body = answer.json()
    return body["state"], body["exception"], body["delta"]


def test_an_order_tells_of_all_that_came_in_for_it(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        told = []
        sums = ((400_000, 0), (50_000, 0), (500_000, 200_000), (500_000, 200_000), (1, 0))
        payments = []
        for units, milk in sums:
            lot = Hash(bytes.fromhex(order["redeem"][0]["lot"]))
            redeem = (Redemption(lot, Units(milk)),) if milk else ()
            payments.append(await rig.signed(order, units=Units(units), redeem=redeem))
            await rig.chain_only(payments[-1])
            await rig.level()
            told.append(await read(rig, order))
        assert told == [
            ("awaiting_payment", None, None),
            ("awaiting_payment", None, None),
            ("paid", "overpaid", "0.450000"),
            ("paid", "duplicate", "0.950000"),
            ("paid", "duplicate", "0.950001"),
        ]
        said_of = [said(await rig.validate(payment))[1:] for payment in payments]
        assert said_of == [
            (False, "AMOUNT_MISMATCH"),
            (False, "AMOUNT_MISMATCH"),
            (True, None),
            (False, "TX_ALREADY_USED"),
            (False, "TX_ALREADY_USED"),
        ]

    on_rig(database, act)


def test_two_payments_that_sum_up_pay_the_order_and_neither_alone_is_valid(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        lot = Hash(bytes.fromhex(order["redeem"][0]["lot"]))
        first = await rig.signed(order, units=Units(300_000), redeem=())
        await rig.chain_only(first)
        second = await rig.signed(
            order, units=Units(200_000), redeem=(Redemption(lot, Units(200_000)),)
        )
        await rig.chain_only(second)
        await rig.level()
        assert await read(rig, order) == ("paid", None, None)
        for payment in (first, second):
            assert said(await rig.validate(payment)) == (200, False, "AMOUNT_MISMATCH")

    on_rig(database, act)


def test_which_of_two_payments_was_first_does_not_hang_on_which_is_asked_for_first(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        first, second = [await rig.signed(order, nonce=nonce) for nonce in (0, 1)]
        async with rig.service.engine.begin() as held:
            # The follower waits for this lock, so both payments are final and not settled.
            await held.execute(text("SELECT 1 FROM follower_cursor FOR UPDATE"))
            await rig.node.submit([_raw(first), _raw(second)])
            rig.node.make_block()
            assert said(await rig.validate(second)) == (200, False, "TX_UNCONFIRMED")
        await rig.level()
        assert said(await rig.validate(second)) == (200, False, "TX_ALREADY_USED")
        assert said(await rig.validate(first)) == (200, True, None)

    on_rig(database, act, automatic=False)


MALFORMED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"{}",
    json.dumps({"txHash": ANY_HASH}).encode(),
    json.dumps({"expectedAmount": "1.80"}).encode(),
    json.dumps({"txHash": ANY_HASH[:-1], "expectedAmount": "1.80"}).encode(),
    json.dumps({"txHash": "0x" + ANY_HASH[2:], "expectedAmount": "1.80"}).encode(),
    json.dumps({"txHash": 7, "expectedAmount": "1.80"}).encode(),
    b'{"txHash":' + b"1" * 64 + b',"expectedAmount":"1.80"}',
    json.dumps({"txHash": ANY_HASH, "expectedAmount": None}).encode(),
    json.dumps({"txHash": ANY_HASH, "expectedAmount": True}).encode(),
    json.dumps({"txHash": ANY_HASH, "expectedAmount": ["1.80"]}).encode(),
    json.dumps({"txHash": ANY_HASH, "expectedAmount": "1.80", "currency": "USD"}).encode(),
    json.dumps({"txHash": ANY_HASH, "expectedAmount": "1.80", "currency": 1}).encode(),
    f'{{"txHash":"{ANY_HASH}","expectedAmount":NaN}}'.encode(),
    f'{{"txHash":"{ANY_HASH}","expectedAmount":Infinity}}'.encode(),
    f'{{"txHash":"{ANY_HASH}","expectedAmount":1e2}}'.encode(),
    f'{{"txHash":"{ANY_HASH}","expectedAmount":"1.80","expectedAmount":"1.80"}}'.encode(),
    f'{{"txHash":"{ANY_HASH}","expectedAmount":"1.80","x":{{"a":1,"a":2}}}}'.encode(),
    b"[" * 4_000,
    f'{{"txHash":"{ANY_HASH}","expectedAmount":"1.80","x":{"[" * 40 + "]" * 40}}}'.encode(),
    f'{{"txHash":"{ANY_HASH}","expectedAmount":"1.80","x":"\\ud800"}}'.encode(),
    f'{{"txHash":"{ANY_HASH}","expectedAmount":"1.80","x":{"9" * 2_000}}}'.encode(),
    *(
        json.dumps({"txHash": ANY_HASH, "expectedAmount": amount}).encode()
        for amount in (
            "", "1_8", "１.80", "1e2", "+1.80", "-1.80", "01.80", ".80", "1.", "1.800", "1,80",
            " 1.80", "1.80\n", "1000000000", "0x1", "٣",
        )
    ),
]  # fmt: skip


def test_whatever_is_malformed_is_a_400_that_says_it_is_not_valid(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        headers = {**rig.till(), "Content-Type": "application/json"}
        for raw in MALFORMED:
            answer = await rig.http.post(URL, content=raw, headers=headers)
            assert answer.status_code == 400, (raw, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"
            body = answer.json()
            assert body["valid"] is False
            assert body["confirmedAt"] is None
            assert body["error"] == "MALFORMED_REQUEST" == body["code"]
            assert body["requestId"] == answer.headers["x-request-id"]
            assert body["errors"], raw

    on_rig(database, act)


def test_checks_come_in_order_key_then_size_and_type_then_rate_then_body(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.access.epoch.TRUST_S", 0.0)

    async def act(rig: ServiceRig) -> None:
        json_type = {"Content-Type": "application/json"}
        big = b"x" * 5_000

        async def status(content: bytes, headers: dict[str, str]) -> int:
            return (await rig.http.post(URL, content=content, headers=headers)).status_code

        assert await status(big, {"Content-Type": "text/plain"}) == 401
        assert await status(big, {**rig.till("bck_" + "a" * 52), **json_type}) == 401
        assert await status(big, {"Authorization": "Basic abc", **json_type}) == 401
        assert await status(big, {**rig.till(), **json_type}) == 413
        assert await status(b"{", {**rig.till(), "Content-Type": "text/plain"}) == 415
        assert await status(b"{", {**rig.till(), **json_type}) == 400
        assert await status(b"{", {**rig.till(), **json_type}) == 400
        throttled = await rig.http.post(URL, content=b"{", headers={**rig.till(), **json_type})
        assert throttled.status_code == 429
        assert int(throttled.headers["retry-after"]) >= 1
        assert "r=0" in throttled.headers["ratelimit"]
        assert throttled.json()["code"] == "RATE_LIMITED"
        other = await rig.validate(ANY_HASH, key=rig.other_key)
        assert said(other) == (200, False, "TX_NOT_FOUND")
        await rig.execute("UPDATE api_keys SET scopes = '{orders:read}'")
        await rig.execute("UPDATE epochs SET value = value + 1")
        assert await status(b"{", {**rig.till(), **json_type}) == 403

    on_rig(database, act, validate_per_minute=2)


def test_while_no_node_answers_nothing_is_denied(database: TestDatabase) -> None:
    clocks = Clocks()

    async def act(rig: ServiceRig) -> None:
        paid = await rig.paid(await rig.order())
        rig.node.silence()
        clocks.steady_ahead_s += 60
        unknown = await rig.validate(ANY_HASH)
        assert unknown.status_code == 503
        assert unknown.json()["code"] == "LEDGER_UNAVAILABLE"
        assert "valid" not in unknown.json()
        mismatch = await rig.validate(paid, "1.79")
        assert mismatch.status_code == 503
        # What is settled stays true: finality is never taken back.
        assert said(await rig.validate(paid)) == (200, True, None)
        ready = await rig.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json()["reason"]
        assert (await rig.http.get("/healthz")).status_code == 200

    on_rig(database, act, clocks=clocks)
