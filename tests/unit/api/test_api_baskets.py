"""Baskets, offers, and what people do with orders, over a real database and ledger."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ledger.primitives.codec import encode
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.node.fake_node import CUSTOMER


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


@pytest.mark.parametrize("broken", ["UPDATE lots SET sound = false", "DELETE FROM lots"])
def test_an_offer_whose_milk_can_t_be_had_is_for_another_lot_or_none(
    database: TestDatabase, broken: str
) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        early = await rig.signed(order)
        first = order["redeem"][0]["lot"]
        await rig.execute(broken)
        gone = await rig.http.get(f"/p/{order['id']}")
        assert (gone.status_code, gone.json()["code"]) == (409, "OUT_OF_STOCK")
        await rig.execute("""
            INSERT INTO lots VALUES (decode(repeat('ab', 32), 'hex'), decode(repeat('cd', 32),
                'hex'), 'whole', 'plant', 200000, 400000, 0, true, 1::bigint << 45, 0)
        """)
        offer = await rig.offer(order)
        assert offer["redeem"] == [{"lot": "ab" * 32, "bill": "0.200000"}]
        assert offer["amount"] == order["amount"]
        assert await rig.offer(order) == offer
        held = await rig.scalar("SELECT reserved_units FROM lots WHERE pack_units > 0")
        assert held == 200_000
        # Who signed for the first lot, which the ledger still has, pays all the same.
        assert first not in str(offer)
        assert (await rig.post(order, early)).status_code == 202
        await rig.level()
        assert (await rig.validate(early)).json()["valid"] is True

    on_rig(database, act)


def test_a_price_below_the_milk_opens_no_order(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        answer = await rig.http.post(
            "/api/v1/orders",
            json={"items": [{"productId": "whole-200"}]},
            headers=rig.till(**{"Idempotency-Key": "k"}),
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "PRICE_BELOW_MILK")
        assert await rig.scalar("SELECT count(*) FROM orders") == 0

    on_rig(database, act, litre_price_sen=901)


def test_milk_is_handed_over_once_and_taken_back_within_a_minute(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()

        async def do(act: str) -> tuple[int, object]:
            path = f"/api/v1/orders/{order['id']}/{act}"
            answer = await rig.http.post(path, headers=rig.till())
            body = answer.json()
            return answer.status_code, body["code"] if answer.is_error else body["fulfilledAt"]

        assert await do("fulfill") == (409, "ORDER_NOT_PAID")
        await rig.paid(order)
        status, at = await do("fulfill")
        assert (status, bool(at)) == (200, True)
        assert await do("fulfill") == (200, at)
        assert await do("reopen") == (200, None)
        assert await do("reopen") == (200, None)
        await do("fulfill")
        await rig.execute("UPDATE orders SET fulfilled_ms = fulfilled_ms - 61000")
        assert await do("reopen") == (409, "TOO_LATE_TO_REOPEN")
        kinds = await rig.scalar("SELECT count(*) FROM events WHERE kind LIKE 'order.%ed'")
        assert kinds == 4, "created, fulfilled, reopened, fulfilled; paid is no -ed"

    on_rig(database, act)


def test_a_basket_of_two_kinds_is_paid_whole_by_its_typed_code(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order(
            items=[{"productId": "whole-200", "quantity": 3}, {"productId": "whole-500"}],
            metadata={"table": "7"},
        )
        assert order["amount"] == {"myr": "9.20", "bill": "2.555556"}
        assert order["metadata"] == {"table": "7"}
        assert order["ticket"] == "A-01"
        assert len(str(order["code"])) == 6
        offer = (await rig.http.get(f"/p/{str(order['code']).lower()}")).json()
        assert offer["orderId"] == order["id"]
        assert offer["redeem"][0]["bill"] == "1.100000"
        assert (await rig.http.get("/p/ZZZZZZ")).status_code == 404
        await rig.paid(order)
        assert (await state_of(rig, order))[0] == "paid"
        assert rig.node.units_of(CUSTOMER) == 9_000_000_000 - 2_555_556 - 100

    on_rig(database, act)


def test_an_order_that_is_waited_for_is_told_when_it_changes(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        order = await rig.order()
        path = f"/api/v1/orders/{order['id']}"
        headers = rig.till(Prefer="wait=10")
        asked = asyncio.create_task(rig.http.get(path, headers=headers))
        while not len(rig.service.waiters):  # noqa: ASYNC110 - it has no event for it
            await asyncio.sleep(0.005)
        await cancelled(rig, order)
        async with asyncio.timeout(5):
            told = await asked
        assert (told.json()["state"], told.headers["preference-applied"]) == (
            "cancelled",
            "wait=10",
        )
        assert await rig.scalar("SELECT reserved_units FROM lots") == 0
        late = await rig.signed(order)
        refused = await rig.post(order, late)
        assert (refused.status_code, refused.json()["code"]) == (409, "ORDER_NOT_PAYABLE")
        await rig.node.submit([encode(late)])
        await rig.level()
        answer = await rig.validate(late)
        assert answer.json()["error"] == "ORDER_CANCELLED"
        read = await rig.http.get(path, headers=rig.till())
        assert (read.json()["state"], read.json()["exception"]) == (
            "cancelled",
            "paid_after_cancel",
        )

    on_rig(database, act)


def test_a_merchant_s_orders_are_listed_by_what_is_asked_page_by_page(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        orders = [await rig.order() for _ in range(3)]
        foreign = await rig.order(rig.other_key)
        await rig.paid(orders[1])

        async def listed(query: str, key: str = "") -> tuple[list[str], str | None]:
            answer = await rig.http.get(f"/api/v1/orders?{query}", headers=rig.till(key))
            assert answer.status_code == 200, answer.text
            return [order["id"] for order in answer.json()["data"]], answer.json()["nextCursor"]

        ids = [str(order["id"]) for order in reversed(orders)]
        assert await listed("") == (ids, None)
        first, cursor = await listed("limit=2")
        assert first == ids[:2]
        assert await listed(f"limit=2&cursor={cursor}") == (ids[2:], None)
        assert await listed("state=paid") == ([orders[1]["id"]], None)
        assert await listed("ticket=A-03") == ([orders[2]["id"]], None)
        assert await listed("exception=duplicate") == ([], None)
        assert await listed("", rig.other_key) == ([foreign["id"]], None)
        for wrong in ("state=fulfilled", "colour=red", f"cursor={cursor}&state=paid"):
            answer = await rig.http.get(f"/api/v1/orders?{wrong}", headers=rig.till())
            assert answer.status_code == 400, wrong

    on_rig(database, act)
