"""The made-up customer: each way of paying comes to what it should, and never in earnest."""

import asyncio
from typing import Any

import pytest

from api.config import load_config, prepare
from api.errors import ConfigFault
from api.keys.model import new_key
from api.testing.model import PayAs, payments_of
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.api.signing_rig import running_signing_rig
from tests.support.node.fake_node import seed_of

CUSTOMER = {"customer": bytes(seed_of("customer"))}


async def pay(rig: ServiceRig, order: dict[str, Any], how: str, key: str = "") -> Any:
    path = f"/api/v1/test/orders/{order['id']}/pay"
    return await rig.http.post(path, json={"as": how}, headers=rig.till(key))


async def read(rig: ServiceRig, order: dict[str, Any]) -> dict[str, Any]:
    return (await rig.http.get(f"/api/v1/orders/{order['id']}", headers=rig.till())).json()


WAYS = [
    ("exact", "paid", None, [True]),
    ("late", "paid", "paid_late", [True]),
    ("under", "awaiting_payment", None, [False]),
    ("over", "paid", "overpaid", [False]),
    ("twice", "paid", "duplicate", [True, False]),
    ("never", "expired", None, []),
]


@pytest.mark.parametrize(("how", "state", "exception", "valid"), WAYS)
def test_each_way_comes_to_what_it_says(
    database: TestDatabase, how: str, state: str, exception: str | None, valid: list[bool]
) -> None:
    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            order = await rig.order()
            answer = await pay(rig, order, how)
            assert answer.status_code == 202, answer.text
            paid = answer.json()
            assert (paid["orderId"], paid["as"], paid["refundId"]) == (order["id"], how, None)
            await rig.level()
            shown = await read(rig, order)
            assert (shown["state"], shown["exception"]) == (state, exception)
            verdicts = [(await rig.validate(one)).json() for one in paid["transactions"]]
            assert [verdict["valid"] for verdict in verdicts] == valid

    asyncio.run(run())


def test_what_is_paid_and_asked_back_is_given_back_by_the_signer(
    database: TestDatabase, tmp_path: Any
) -> None:
    async def run() -> None:
        async with running_signing_rig(database, tmp_path, **CUSTOMER) as rig, rig.signing():
            order = await rig.api.order()
            answer = await pay(rig.api, order, "refunded")
            assert answer.status_code == 202, answer.text
            refund = await rig.becomes(f"/refunds/{answer.json()['refundId']}", "succeeded")
            assert refund["txHash"] == answer.json()["transactions"][0]
            await rig.becomes(f"/orders/{order['id']}", "refunded")

    asyncio.run(run())


def test_many_pay_at_once_and_no_nonce_is_used_twice(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            orders = [await rig.order() for _ in range(6)]
            answers = await asyncio.gather(*(pay(rig, order, "exact") for order in orders))
            assert {answer.status_code for answer in answers} == {202}
            await rig.level()
            assert {(await read(rig, order))["state"] for order in orders} == {"paid"}

    asyncio.run(run())


def test_what_is_paid_anothers_or_not_there_is_not_paid(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            order = await rig.order()
            assert (await pay(rig, order, "exact", rig.other_key)).status_code == 404
            assert (await pay(rig, {"id": "nothing"}, "exact")).status_code == 404
            assert (await pay(rig, order, "gladly")).status_code == 400
            refunded = await pay(rig, order, "refunded")
            assert (refunded.status_code, refunded.json()["code"]) == (503, "SIGNER_OFFLINE")
            await pay(rig, order, "exact")
            await rig.level()
            again = await pay(rig, order, "exact")
            assert (again.status_code, again.json()["code"]) == (409, "ORDER_NOT_PAYABLE")

    asyncio.run(run())


def test_a_network_without_its_key_has_no_such_customer(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            assert (await pay(rig, await rig.order(), "exact")).status_code == 404

    asyncio.run(run())


def test_on_a_live_chain_nobody_finds_the_route(database: TestDatabase) -> None:
    """Not even that it wants a credential is told."""

    async def run() -> None:
        options = {"prefix": "bill", "ready": False, "merchants": ()}
        async with running_rig(database, **CUSTOMER, **options) as rig:
            for headers in ({}, rig.till(new_key(livemode=True))):
                answer = await rig.http.post(
                    "/api/v1/test/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV/pay",
                    json={"as": "exact"},
                    headers=headers,
                )
                assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")

    asyncio.run(run())


def test_a_home_in_earnest_with_a_made_up_customer_does_not_start(tmp_path: Any) -> None:
    for prefix in ("dbill", "bill"):
        home = tmp_path / prefix
        prepare(
            home,
            node_urls=["http://127.0.0.1:1"],
            database_dir=tmp_path / "database",
            database_port=1,
            port=1,
            prefix=prefix,
        )
        assert load_config(home).customer is None
        (home / "customer.key").write_text("ab" * 32 + "\n")
        (home / "customer.key").chmod(0o600)
    assert load_config(tmp_path / "dbill").customer == b"\xab" * 32
    with pytest.raises(ConfigFault, match="made-up customer"):
        load_config(tmp_path / "bill")


def test_every_way_is_acted_and_tried() -> None:
    assert {how for how, *_ in WAYS} | {"refunded"} == set(PayAs)
    assert payments_of.__doc__
