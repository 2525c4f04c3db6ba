"""Payments listed, and those that bore no order's reference given to the order they were for."""

from ledger.primitives.amounts import Units
from ledger.primitives.keys import SigningKey
from ledger.types.transaction import Transaction
from tests.support.api.people_rig import Member, PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig
from tests.support.node.fake_node import CUSTOMER, MERCHANT, make_transfer

STRAY = bytes(range(32))


async def stray(
    rig: ServiceRig, order: dict[str, object], key: SigningKey = CUSTOMER, **changes: object
) -> Transaction:
    """Pay what an order costs, under a reference that is nobody's."""
    wanted = {"reference": STRAY, **changes}
    paid = make_transfer(rig.node, await rig.offer(order), key=key, **wanted)
    await rig.chain_only(paid)
    await rig.level()
    return paid


async def assign(by: Member, payment: Transaction, order: dict[str, object], key: str = ""):
    headers = {"Idempotency-Key": key} if key else {}
    body = {"orderId": order["id"]}
    return await by.call("POST", f"/payments/{payment.id.hex()}/assign", body, **headers)


def test_a_payment_without_a_reference_pays_the_order_that_a_manager_names(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        order = await rig.order()
        paid = await stray(rig, order)
        (listed,) = (await manager.ok("GET", "/payments?outcome=unmatched"))["data"]
        assert (listed["txHash"], listed["orderId"]) == (paid.id.hex(), None)
        assert (await rig.validate(paid)).json()["error"] == "NO_QUOTE"
        done = await assign(manager, paid, order, "once")
        assert done.status_code == 200, done.text
        assert (done.json()["state"], done.json()["exception"]) == ("paid", None)
        assert (await rig.validate(paid)).json()["valid"] is True
        again = await assign(manager, paid, order, "once")
        assert again.json() == done.json()
        assert again.headers["Idempotent-Replayed"] == "true"
        other = await assign(manager, paid, await rig.order())
        assert (other.status_code, other.json()["code"]) == (409, "NOT_ASSIGNABLE")
        assert await rig.scalar("SELECT sum(reserved_units) FROM lots") == 200_000, "the other's"
        kinds = "SELECT count(*) FROM events WHERE kind = 'order.paid'"
        assert await rig.scalar(kinds) == 1

    play(database, story)


def test_what_burned_no_milk_stands_as_an_exception_beside_the_order(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        order = await rig.order()
        paid = await stray(rig, order, redeem=())
        shown = (await assign(manager, paid, order)).json()
        assert (shown["state"], shown["exception"]) == ("awaiting_payment", "wrong_redemption")
        assert shown["received"] == order["amount"]["bill"]
        told = await manager.ok("POST", f"/orders/{order['id']}/resolve", {"resolution": "accept"})
        assert (told["state"], told["exception"]) == ("paid", None)

    play(database, story)


def test_parts_add_up_whether_they_bore_the_reference_or_not(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        order = await rig.order()
        half = Units(250_000)
        await rig.chain_only(await rig.signed(order, units=half))
        await rig.level()
        rest = await stray(rig, order, units=half, redeem=())
        shown = (await assign(manager, rest, order)).json()
        assert shown["state"] == "paid", shown
        assert (await rig.validate(rest, "1.80")).json()["error"] == "AMOUNT_MISMATCH"

    play(database, story)


def test_only_ones_own_payment_goes_to_ones_own_order_that_can_be_paid(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        order, theirs = await rig.order(), await rig.order(rig.other_key)
        paid = await stray(rig, order)
        strange = await stray(rig, theirs, key=MERCHANT, redeem=(), units=Units(1_000))
        assert (await assign(manager, strange, order)).status_code == 404
        assert (await assign(manager, paid, theirs)).status_code == 404
        closed = await rig.order()
        await rig.paid(closed)
        no = await assign(manager, paid, closed)
        assert (no.status_code, no.json()["code"]) == (409, "ORDER_NOT_PAYABLE")
        rig.node.automatic = False
        assert (await rig.post(order, await rig.signed(order))).status_code == 202
        busy = await assign(manager, paid, order)
        assert (busy.status_code, busy.json()["code"]) == (409, "PAYMENT_IN_FLIGHT")
        rig.node.silence()
        assert (await assign(manager, paid, order)).status_code == 503

    play(database, story)


def test_payments_are_listed_page_by_page_by_what_they_are(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rig, manager = people.rig, await people.manager()
        orders = [await rig.order() for _ in range(3)]
        paid = [(await rig.paid(order)).id.hex() for order in orders]
        await rig.paid(await rig.order(rig.other_key))
        seen, cursor = [], ""
        while True:
            page = await manager.ok("GET", f"/payments?limit=2{cursor}")
            seen += [each["txHash"] for each in page["data"]]
            if not page["hasMore"]:
                break
            cursor = f"&cursor={page['nextCursor']}"
        assert sorted(seen) == sorted(paid), "each once, and nobody else's"
        for query, count in (
            ("outcome=succeeded", 3),
            ("outcome=duplicate", 0),
            ("state=refused", 0),
            ("settlement=unsettled", 3),
            (f"orderId={orders[1]['id']}", 1),
            ("from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", 0),
            ("from=2020-01-01T00:00:00Z", 3),
        ):
            assert len((await manager.ok("GET", f"/payments?{query}"))["data"]) == count, query
        other = await manager.call("GET", f"/payments?outcome=succeeded{cursor}")
        assert other.json()["code"] == "MALFORMED_REQUEST", "a cursor leads on in its own list"

    play(database, story)
