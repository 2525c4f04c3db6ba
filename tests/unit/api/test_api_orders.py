"""Orders, offers, submission, the stream and the pages, over a real database and ledger."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import msgspec
import pytest
from ulid import ULID

from api.events.hub import EVERYTHING, FRAMES_MAX, SIGN_OF_LIFE, PageSubject
from api.events.outbox import StoredEvent
from api.orders.changes import expire_orders
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import address_of, format_address
from ledger.types.transaction import decode_transaction
from ledger.types.transfer import Redemption
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.node.fake_node import CUSTOMER, MERCHANT, OTHER_MERCHANT
from tests.support.system.patience import PATIENCE_S


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


def test_a_payment_burns_the_pack_and_gives_the_margin_to_the_merchant(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order(quantity=2)
        assert order["amount"] == {"myr": "3.60", "bill": "1.000000"}
        assert order["redeem"][0]["bill"] == "0.400000"
        await rig.paid(order)
        assert rig.node.units_of(MERCHANT) == 600_000
        assert (await rig.node.supply()).redeemed_units == 400_000
        read = await rig.http.get(f"/api/v1/orders/{order['id']}", headers=rig.till())
        assert read.json()["state"] == "paid"
        assert (read.json()["received"], read.json()["inFlight"]) == ("1.000000", None)

    on_rig(database, act)


def test_one_key_opens_one_order_and_another_body_under_it_is_refused(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        async def ask(key: str | None, product: str = "whole-200") -> tuple[int, dict[str, object]]:
            headers = rig.till() if key is None else rig.till(**{"Idempotency-Key": key})
            answer = await rig.http.post(
                "/api/v1/orders", json={"items": [{"productId": product}]}, headers=headers
            )
            return answer.status_code, answer.json()

        status, first = await ask("k1")
        assert status == 201
        paid = await rig.paid(first)
        assert await ask("k1") == (201, first), "as it was answered, whatever became of it"
        assert (await rig.validate(paid)).json()["valid"] is True
        status, reused = await ask("k1", "whole-500")
        assert (status, reused["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        status, missing = await ask(None)
        assert (status, missing["code"]) == (400, "IDEMPOTENCY_KEY_REQUIRED")
        together = await asyncio.gather(ask("k2"), ask("k2"))
        assert sorted(status for status, _ in together) == [201, 409]
        assert await rig.scalar("SELECT count(*) FROM orders") == 2

    on_rig(database, act)


def test_a_key_belongs_to_who_asks_and_a_refusal_is_an_answer_too(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        async def ask(bearer: str, quantity: int = 1) -> httpx.Response:
            items = [{"productId": "whole-1000", "quantity": quantity}] * 8
            headers = rig.till(bearer, **{"Idempotency-Key": "mine"})
            return await rig.http.post("/api/v1/orders", json={"items": items}, headers=headers)

        await rig.execute("UPDATE lots SET reserved_units = remaining_units")
        refused = await ask(rig.key)
        assert (refused.status_code, refused.json()["code"]) == (409, "OUT_OF_STOCK")
        await rig.execute("UPDATE lots SET reserved_units = 0")
        again = await ask(rig.key)
        assert (again.status_code, again.json()["code"]) == (409, "OUT_OF_STOCK")
        opened = await ask(rig.other_key)
        assert opened.status_code == 201
        assert "Idempotent-Replayed" not in opened.headers
        replayed = await ask(rig.other_key)
        assert replayed.headers["Idempotent-Replayed"] == again.headers["Idempotent-Replayed"]
        assert replayed.headers["Location"] == opened.headers["Location"]
        assert (await ask(rig.key, 2)).json()["code"] == "IDEMPOTENCY_KEY_REUSED"

    on_rig(database, act)


def test_many_orders_at_once_share_lots_without_overselling(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        await rig.execute("UPDATE lots SET remaining_units = 5000000")

        async def ask() -> int:
            answer = await rig.http.post(
                "/api/v1/orders",
                json={"items": [{"productId": "whole-200"}]},
                headers=rig.till(**{"Idempotency-Key": str(ULID())}),
            )
            return answer.status_code

        answers = await asyncio.gather(*(ask() for _ in range(40)))
        assert answers.count(201) == 25
        assert answers.count(409) == 15
        assert await rig.scalar("SELECT reserved_units FROM lots") == 5_000_000

    on_rig(database, act)


def test_a_payment_that_a_node_took_without_saying_so_is_told_by_its_id_and_pays_once(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        payment = await rig.signed(order)
        rig.node.automatic, rig.node.mute = False, True
        told = await rig.post(order, payment)
        assert (told.status_code, told.json()["state"]) == (202, "seen"), "we have its bytes"
        rig.node.mute = False
        assert (await rig.post(order, payment)).status_code == 202, "the same bytes, once more"
        rig.node.make_block()
        assert (await rig.validate(payment, wait=10)).json()["valid"] is True

    on_rig(database, act)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "MALFORMED_REQUEST"),
        (b'{"productId":"whole-200"}', 400, "MALFORMED_REQUEST"),
        (b'{"items":[]}', 400, "MALFORMED_REQUEST"),
        (b'{"items":[{"productId":5}]}', 400, "MALFORMED_REQUEST"),
        (b'{"items":[{"productId":"whole-200","quantity":0}]}', 400, "MALFORMED_REQUEST"),
        (b'{"items":[{"productId":"whole-200","quantity":101}]}', 400, "MALFORMED_REQUEST"),
        (b'{"items":[{"productId":"whole-200","quantity":1.5}]}', 400, "MALFORMED_REQUEST"),
        (b'{"items":[{"productId":"whole-200","quantity":"2"}]}', 400, "MALFORMED_REQUEST"),
        (
            b'{"items":[' + b'{"productId":"whole-200"},' * 8 + b'{"productId":"whole-200"}]}',
            400,
            "MALFORMED_REQUEST",
        ),
        (b'{"items":[{"productId":"beer"}]}', 422, "UNKNOWN_PRODUCT"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    database: TestDatabase, body: bytes, status: int, code: str
) -> None:
    async def act(rig: ServiceRig) -> None:
        headers = rig.till(**{"Idempotency-Key": "k", "Content-Type": "application/json"})
        answer = await rig.http.post("/api/v1/orders", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)

    # What is sold is asked for as the order is opened, once somebody could pay it.
    on_rig(database, act, ready=status == 422)


def test_a_transaction_that_could_not_pay_is_refused_before_it_costs_a_fee(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        other = address_of(OTHER_MERCHANT.public)
        lot = Hash(bytes.fromhex(order["redeem"][0]["lot"]))
        basket = (Redemption(lot, Units(200_000)), Redemption(Hash(b"\xff" * 32), Units(1)))
        cases = [
            ({"chain_id": bytes(32)}, 422, "WRONG_CHAIN"),
            ({"reference": bytes([7]) * 32}, 422, "WRONG_REFERENCE"),
            ({"to": other}, 422, "WRONG_PAYEE"),
            ({"units": Units(499_999)}, 422, "AMOUNT_MISMATCH"),
            ({"redeem": ()}, 422, "WRONG_REDEMPTION"),
            ({"redeem": basket}, 422, "WRONG_REDEMPTION"),
            ({"valid_until_height": 0}, 422, "TRANSACTION_EXPIRED"),
        ]
        for changes, status, code in cases:
            answer = await rig.post(order, await rig.signed(order, **changes))
            assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert rig.node.submissions == 0
        wrong_nonce = await rig.post(order, await rig.signed(order, nonce=9))
        assert (wrong_nonce.status_code, wrong_nonce.json()["code"]) == (422, "BAD_NONCE")
        poor = await rig.post(order, await rig.signed(order, key=OTHER_MERCHANT))
        assert (poor.status_code, poor.json()["code"]) == (422, "CANNOT_PAY_FEE")
        good = await rig.signed(order)
        forged = decode_transaction(encode(good))
        forged = type(forged)(forged.intent, ((0, b"\1" * 64),))
        answer = await rig.post(order, forged)
        assert (answer.status_code, answer.json()["code"]) == (422, "BAD_SIGNATURE")
        assert (await rig.post(order, good)).status_code == 202
        await rig.level()
        assert (await rig.post(order, good)).status_code == 202, "posting twice is harmless"
        again = await rig.post(order, await rig.signed(order))
        assert (again.status_code, again.json()["code"]) == (409, "ORDER_NOT_PAYABLE")
        nowhere = await rig.post({"id": str(ULID())}, good)
        assert nowhere.status_code == 404

    # The payer may be flagged on the way, after a second or never: that is another test's.
    on_rig(database, act, limits={"flagged_per_minute": 100, "payer_per_minute": 100})


@pytest.mark.parametrize("text", ["", "zz", "00", "c0", 5, None])
def test_what_is_no_transaction_is_malformed(database: TestDatabase, text: object) -> None:
    async def act(rig: ServiceRig) -> None:
        answer = await rig.http.post(f"/api/v1/orders/{ULID()}/payment", json={"transaction": text})
        assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED_REQUEST")

    on_rig(database, act, ready=False)


def test_an_order_expires_and_gives_its_milk_back(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        late = await rig.signed(order)
        service = rig.service
        now_ms = service.now_ms()
        assert await expire_orders(service.engine, now_ms, now_ms) == 0
        after_ms = now_ms + 11_000
        assert await expire_orders(service.engine, after_ms, after_ms) == 1
        assert await expire_orders(service.engine, after_ms, after_ms) == 0
        assert await rig.scalar("SELECT reserved_units FROM lots") == 0
        refused = await rig.post(order, late)
        assert (refused.status_code, refused.json()["code"]) == (409, "ORDER_NOT_PAYABLE")

    on_rig(database, act, order_ttl_s=10)


def test_a_block_from_before_the_expiry_pays_and_one_after_it_pays_late(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        service = rig.service
        early, late = await rig.order(), await rig.order()
        after_ms = service.now_ms() + 11_000
        await expire_orders(service.engine, after_ms, after_ms)
        await rig.node.submit([encode(await rig.signed(early))])
        rig.node.make_block()
        too_late = await rig.signed(late)
        await rig.node.submit([encode(too_late)])
        rig.node.make_block(time_ms=after_ms)
        await rig.level()
        states = {
            order["id"]: (await service.find_order(str(order["id"]))) for order in (early, late)
        }
        assert states[early["id"]].state == "paid"
        assert states[early["id"]].exception is None
        assert states[late["id"]].state == "paid"
        assert states[late["id"]].exception == "paid_late"
        assert states[late["id"]].delta_units == 0
        read = await rig.http.get(f"/api/v1/payments/{too_late.id.hex()}", headers=rig.till())
        assert read.json()["outcome"] == "paid_late"
        assert read.json()["height"] == 2

    on_rig(database, act, automatic=False, order_ttl_s=10)


def test_orders_and_payments_are_their_merchants_alone(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        paid = await rig.paid(order)
        for path in (f"/api/v1/orders/{order['id']}", f"/api/v1/payments/{paid.id.hex()}"):
            assert (await rig.http.get(path)).status_code == 401
            mine = await rig.http.get(path, headers=rig.till())
            assert mine.status_code == 200
            other = await rig.http.get(path, headers=rig.till(rig.other_key))
            assert other.status_code == 404
        bad = await rig.http.get("/api/v1/payments/xyz", headers=rig.till())
        assert bad.status_code == 400

    on_rig(database, act)


def test_a_wallet_reads_the_offer_and_its_account(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        offer = await rig.offer(order)
        assert offer["fee"] == "0.000100"
        assert offer["chainId"] == rig.node.chain.chain_id.hex()
        capitals = await rig.http.get(f"/P/{order['id']}")
        assert capitals.json() == offer
        assert order["payUrl"] == f"HTTPS://MILK.EXAMPLE/P/{order['id']}"
        page = await rig.http.get(f"/p/{order['id']}", headers={"Accept": "text/html"})
        assert "RM 1.80" in page.text
        assert (await rig.http.get(f"/p/{ULID()}")).status_code == 404
        assert (await rig.http.get("/p/nonsense")).status_code == 404
        text = format_address(address_of(CUSTOMER.public), "dbill")
        account = (await rig.http.get(f"/api/v1/accounts/{text}")).json()
        assert account == {"address": text, "bill": "9000.000000", "nonce": 0}
        assert (await rig.http.get(f"/api/v1/accounts/{text[:-1]}x")).status_code == 400
        rig.node.silence()
        assert (await rig.http.get(f"/api/v1/accounts/{text}")).status_code == 503

    on_rig(database, act)


def test_the_pages_hold_everything_themselves(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        svg = await rig.http.get(f"/api/v1/orders/{order['id']}/qr.svg")
        assert svg.headers["content-type"] == "image/svg+xml"
        assert "<svg" in svg.text
        png = await rig.http.get(f"/api/v1/orders/{order['id']}/qr.png")
        assert png.content.startswith(b"\x89PNG")
        assert (await rig.http.get(f"/api/v1/orders/{ULID()}/qr.svg")).status_code == 404
        for path in ("/", "/docs"):
            page = await rig.http.get(path)
            assert page.status_code == 200
            assert "default-src 'none'" in page.headers["content-security-policy"]
            assert 'src="http' not in page.text
            assert 'href="http' not in page.text
        assert str(order["id"]) in (await rig.http.get("/")).text
        products = (await rig.http.get("/api/v1/products")).json()["data"]
        assert products[0]["price"] == {"myr": "1.80", "bill": "0.500000"}
        schema = (await rig.http.get("/openapi.json")).json()
        assert "/api/v1/payments/validate" in schema["paths"]
        assert "/api/v1/products" in schema["paths"]
        metrics = (await rig.http.get("/metrics")).text
        assert "payment_success_total" in metrics
        assert "validation_latency_seconds" in metrics
        lost = await rig.http.get("/nowhere", headers={"Accept-Language": "ms-MY"})
        assert (lost.status_code, lost.json()["code"]) == (404, "NOT_FOUND")
        assert lost.json()["title"] == "Tiada sumber sedemikian"
        wrong = await rig.http.put("/api/v1/orders")
        assert (wrong.status_code, wrong.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
        named = await rig.http.get("/healthz", headers={"X-Request-Id": "till-0000001"})
        assert named.headers["x-request-id"] == "till-0000001"

    on_rig(database, act)


async def _next_frame(page: AsyncIterator[bytes]) -> tuple[int, str, dict[str, object]]:
    """Read the next frame that says something."""
    while (raw := await anext(page)) == SIGN_OF_LIFE.raw:
        pass
    return _read_frame(raw)


def _read_frame(raw: bytes) -> tuple[int, str, dict[str, object]]:
    lines = dict(line.split(": ", 1) for line in raw.decode().strip().splitlines())
    return int(lines.get("id", 0)), lines["event"], json.loads(lines["data"])


def test_a_page_gets_a_snapshot_then_deltas_and_resumes_where_it_left(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        hub = rig.service.hub
        first = await rig.order()
        merchant = str(await rig.scalar("SELECT merchant_id FROM orders"))
        subject = PageSubject(merchant_id=merchant)

        async def snapshot() -> object:
            return await rig.service.board.snapshot(merchant)

        page = hub.listen(subject, None, snapshot)
        assert (await anext(page)).startswith(b"retry:")
        seq, kind, body = await _next_frame(page)
        assert kind == "snapshot"
        assert seq > 0
        assert body["orders"][0]["id"] == first["id"]
        await rig.paid(first)
        seen = []
        async with asyncio.timeout(PATIENCE_S):
            while "order.paid" not in seen:
                _, kind, body = await _next_frame(page)
                if kind == "order":
                    seen.append(body["kind"])
                    assert body["data"]["order"]["id"] == first["id"]
        assert seen == ["payment.submitted", "order.paid"]
        await page.aclose()
        assert hub.count == 0
        resumed = hub.listen(subject, seq, snapshot)
        await anext(resumed)
        _, kind, body = await _next_frame(resumed)
        assert (kind, body["kind"]) == ("order", "payment.submitted")
        hub.close()
        async with asyncio.timeout(PATIENCE_S):
            rest = [frame async for frame in resumed if frame != SIGN_OF_LIFE.raw]
        assert _read_frame(rest[0])[2]["kind"] == "order.paid"

    on_rig(database, act)


def test_a_page_that_cannot_keep_up_is_cut_off(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        hub, body = rig.service.hub, msgspec.Raw(b"{}")
        page = hub.listen(EVERYTHING, None, rig.service.board.snapshot)
        await anext(page)
        for number in range(FRAMES_MAX + 2):
            hub.publish([StoredEvent("m", number, "order.created", "o", None, body)])
        assert hub.count == 0
        async with asyncio.timeout(PATIENCE_S):
            assert len([frame async for frame in page]) <= FRAMES_MAX + 1

    on_rig(database, act)
