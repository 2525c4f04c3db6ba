"""Products of a merchant's own: begun by its manager, priced by two people, sold by nobody else."""

from ulid import ULID

from api.access.roles import Role
from api.catalogue import model
from api.catalogue.sellers import publish
from tests.support.api.people_rig import Member, PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks

FRESH = {
    "id": "fresh-250",
    "name": {"en": "Fresh milk 250 ml", "ms": "Susu segar 250 ml"},
    "kind": "whole",
    "price": "2.40",
    "redeem": "0.25",
}


async def listed(people: PeopleRig, **query: str) -> dict[str, dict[str, object]]:
    answer = await people.rig.http.get("/api/v1/products", params=query)
    assert answer.status_code == 200, answer.text
    return {one["id"]: one for one in answer.json()["data"]}


async def sell(people: PeopleRig, product: str, key: str = "") -> tuple[int, str]:
    """Try to sell a pack; give the status, and the price or the code."""
    rig = people.rig
    rig.node.make_block()  # However slow the machine is: the ledger is alive.
    await rig.level()
    headers = rig.till(key, **{"Idempotency-Key": str(ULID())})
    body = {"items": [{"productId": product}]}
    answer = await rig.http.post("/api/v1/orders", json=body, headers=headers)
    told = answer.json()
    return answer.status_code, told.get("code") if "type" in told else told["amount"]["myr"]


async def decided(member, approval: str, verdict: str = "approve") -> dict[str, object]:
    return await member.ok("POST", f"/approvals/{approval}/{verdict}")


def test_what_a_manager_begins_is_sold_by_that_shop_alone(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, key = await people.manager(), {"Idempotency-Key": "once"}
        made = await manager.ok("POST", "/products", FRESH, **key)
        assert (made["price"], made["redeem"]) == (
            {"myr": "2.40", "bill": "0.666667"}, {"bill": "0.250000"},
        )  # fmt: skip
        assert (made["merchantId"], made["active"]) == (people.merchant_id, True)
        again = await manager.call("POST", "/products", FRESH, **key)
        assert (again.json(), again.headers["idempotent-replayed"]) == (made, "true")
        shown = await people.rig.http.get(again.headers["location"])
        assert shown.json() == made
        own = await listed(people, merchantId=people.merchant_id.lower())
        assert list(own) == ["whole-200", "fresh-250", "whole-500", "whole-1000"]
        assert "fresh-250" not in await listed(people)
        assert "fresh-250" not in await listed(people, merchantId=people.other_merchant_id)
        assert (await listed(people, merchantId=people.merchant_id, kind="goat")) == {}
        assert await sell(people, "fresh-250") == (201, "2.40")
        assert await sell(people, "fresh-250", people.rig.other_key) == (422, "UNKNOWN_PRODUCT")
        elsewhere = await people.rig.http.get("/api/v1/products/fresh-250")
        assert elsewhere.status_code == 404

    play(database, story)


def test_a_price_is_changed_by_two_people_and_outlives_a_restart(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, other = await people.manager(), await people.manager()
        asked = await manager.ok("PATCH", "/products/whole-200", {"price": "2.00"})
        assert asked["product"]["price"]["myr"] == "1.80", "nothing has changed yet"
        own = await manager.call("POST", f"/approvals/{asked['approvalId']}/approve")
        assert (own.status_code, own.json()["code"]) == (403, "NOT_YOURS_TO_DECIDE")
        assert (await decided(other, asked["approvalId"]))["state"] == "applied"
        assert await sell(people, "whole-200") == (201, "2.00")
        assert await sell(people, "whole-200", people.rig.other_key) == (201, "1.80")
        assert (await listed(people))["whole-200"]["price"]["myr"] == "1.80"
        service = people.rig.service
        async with service.engine.begin() as connection:
            await publish(connection, service.config, service.now_ms())
        assert await sell(people, "whole-200") == (201, "2.00")

    play(database, story)


def test_a_price_that_was_changed_meanwhile_is_asked_for_anew(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, officer = await people.manager(), await people.officer()
        asked = [
            (await manager.ok("PATCH", "/products/whole-200", {"price": price}))["approvalId"]
            for price in ("2.00", "1.90", "1.70")
        ]
        assert (await decided(officer, asked[0]))["state"] == "applied"
        failed = await decided(officer, asked[1])
        assert (failed["state"], failed["failure"]) == ("failed", "PRICE_CHANGED")
        assert (await decided(officer, asked[2], "reject"))["state"] == "rejected"
        assert await sell(people, "whole-200") == (201, "2.00")
        same = await manager.ok("PATCH", "/products/whole-200", {"price": "2.00"})
        assert same["approvalId"] is None, "it is the price"

    play(database, story)


def test_a_paused_product_is_not_sold_there_until_it_is_resumed(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager, shop = await people.manager(), people.merchant_id
        name = {"en": "Small milk", "ms": "Susu kecil"}
        at = "/products/whole-200"
        paused = await manager.ok("PATCH", at, {"active": False, "name": name})
        assert (paused["product"]["active"], paused["product"]["name"]) == (False, name)
        assert await sell(people, "whole-200") == (422, "UNKNOWN_PRODUCT")
        assert await sell(people, "whole-200", people.rig.other_key) == (201, "1.80")
        assert "whole-200" not in await listed(people, merchantId=shop)
        assert list(await listed(people, merchantId=shop, active="false")) == ["whole-200"]
        assert "whole-200" in await listed(people)
        assert (await manager.ok("PATCH", at, {"active": True}))["approvalId"] is None
        assert await sell(people, "whole-200") == (201, "1.80")
        nothing = await manager.ok("PATCH", "/products/whole-500", {})
        assert nothing["product"]["merchantId"] is None, "nothing was changed, nothing is its own"

    play(database, story)


async def refused(manager: Member, body: dict[str, object], path: str = "") -> tuple[int, str, str]:
    answer = await manager.call("PATCH" if path else "POST", f"/products{path}", body)
    told = answer.json()
    places = [one["pointer"] for one in told.get("errors", ())]
    return answer.status_code, told["code"], ",".join(places)


MALFORMED = [
    ({"id": "Fresh 250"}, "/id"),
    ({"id": "-a"}, "/id"),
    ({"id": "fresh\n"}, "/id"),
    ({"id": "a" * 33}, "/id"),
    ({"kind": "oat"}, "/kind"),
    ({"price": "2.401"}, "/price"),
    ({"price": "-1"}, "/price"),
    ({"redeem": "0.0000001"}, "/redeem"),
    ({"redeem": "1e2"}, "/redeem"),
    ({"redeem": 1}, "/redeem"),
    ({"name": {"en": "x"}}, "/name/ms"),
    ({"name": {"en": "x\n", "ms": "x"}}, "/name/en"),
    ({"name": {"en": "", "ms": "x"}}, "/name/en"),
    ({"colour": "white"}, "/colour"),
]
OUT_OF_RANGE = [
    ({"price": "0"}, "/price"),
    ({"price": "10000.01"}, "/price"),
    ({"redeem": "0"}, "/redeem"),
    ({"redeem": "100.000001"}, "/redeem"),
]


def test_what_makes_no_sense_is_refused_with_its_place(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        for change, place in MALFORMED:
            told = await refused(manager, {**FRESH, **change})
            assert told == (400, "MALFORMED_REQUEST", place), change
        for change, place in OUT_OF_RANGE:
            assert await refused(manager, {**FRESH, **change}) == (422, "REFUSED", place), change
        for query in ("merchantId=x", "kind=oat", "active=2", "cursor=abc"):
            answer = await people.rig.http.get(f"/api/v1/products?{query}")
            assert answer.status_code == 400, query

    play(database, story)


def test_what_can_not_be_is_refused_by_its_code(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        for body, path, told in (
            ({**FRESH, "price": "0.89"}, "", (409, "PRICE_BELOW_MILK", "")),
            ({**FRESH, "id": "whole-200"}, "", (409, "ALREADY_KNOWN", "")),
            ({"price": "0.71"}, "/whole-200", (409, "PRICE_BELOW_MILK", "")),
            ({"price": "0"}, "/whole-200", (422, "REFUSED", "/price")),
            ({"kind": "goat"}, "/whole-200", (400, "MALFORMED_REQUEST", "/kind")),
            ({"active": False}, "/fresh-250", (404, "NOT_FOUND", "")),
        ):
            assert await refused(manager, body, path) == told, body

    play(database, story)


def test_another_shop_s_manager_finds_only_their_own(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        await manager.ok("POST", "/products", FRESH)
        stranger = await people.member((Role.MANAGER, people.other_merchant_id))
        foreign = await stranger.call("PATCH", "/products/fresh-250", {"active": False})
        assert foreign.status_code == 404
        student = await people.member()
        assert (await student.call("POST", "/products", FRESH)).status_code == 403
        made = await stranger.ok("POST", "/products", {**FRESH, "price": "3.00"})
        assert made["merchantId"] == people.other_merchant_id
        assert await sell(people, "fresh-250") == (201, "2.40")
        assert await sell(people, "fresh-250", people.rig.other_key) == (201, "3.00")

    play(database, story)


def test_a_shop_has_so_many_products_and_no_more(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        await people.rig.execute(f"""
            INSERT INTO products (merchant_id, id, name_en, name_ms, kind, price_sen,
                redeem_units, active)
            SELECT '{people.merchant_id}', 'made-' || n, 'x', 'x', 'whole', 500, 200000, true
            FROM generate_series(2, {model.PRODUCTS_MAX}) AS n
        """)
        await manager.ok("POST", "/products", FRESH)
        full = await manager.call("POST", "/products", {**FRESH, "id": "one-more"})
        assert (full.status_code, full.json()["code"]) == (409, "TOO_MANY_PRODUCTS")
        shared = await manager.call("PATCH", "/products/whole-200", {"active": False})
        assert (shared.status_code, shared.json()["code"]) == (409, "TOO_MANY_PRODUCTS")
        await manager.ok("PATCH", "/products/fresh-250", {"active": False})
        walked, cursor = list[str](), ""
        while True:
            query = {"merchantId": people.merchant_id, "limit": "90", "cursor": cursor}
            answer = await people.rig.http.get("/api/v1/products", params=query)
            page = answer.json()
            walked += [one["id"] for one in page["data"]]
            cursor = page["nextCursor"]
            if not page["hasMore"]:
                break
        assert len(walked) == len(set(walked)) == model.PRODUCTS_MAX - 1 + 3

    play(database, story)


def test_what_costs_less_than_its_milk_is_paused_until_a_price_covers_it(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        shop, rig = people.merchant_id, people.rig
        rows = [("a-71", 71, 200_000), ("b-72", 72, 200_000), ("c-72", 72, 200_001)]
        for name, sen, units in rows:
            await rig.execute(f"""
                INSERT INTO products (merchant_id, id, name_en, name_ms, kind, price_sen,
                    redeem_units, active)
                VALUES ('{shop}', '{name}', 'x', 'x', 'whole', {sen}, {units}, true)
            """)
        sold = await listed(people, merchantId=shop)
        assert ("b-72" in sold, "a-71" in sold, "c-72" in sold) == (True, False, False)
        paused = await listed(people, merchantId=shop, active="false")
        assert {name: one["belowMilk"] for name, one in paused.items()} == {
            "a-71": True,
            "c-72": True,
        }
        assert await sell(people, "a-71") == (409, "PRICE_BELOW_MILK")
        assert await sell(people, "b-72") == (201, "0.72")
        basket = {"items": [{"productId": "whole-200"}, {"productId": "a-71"}]}
        answer = await rig.http.post(
            "/api/v1/orders", json=basket, headers=rig.till(**{"Idempotency-Key": "basket"})
        )
        assert (answer.status_code, answer.json()["errors"]) == (
            409,
            [{"pointer": "/items/1/productId", "code": "PRICE_BELOW_MILK"}],
        ), "what else is in the basket does not carry it"
        await rig.execute("UPDATE products SET price_sen = 72 WHERE id = 'a-71'")
        assert await sell(people, "a-71") == (201, "0.72")

    play(database, story)
