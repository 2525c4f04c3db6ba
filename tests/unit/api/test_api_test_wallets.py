"""Wallets to try with: funded on chains of development, and not there in earnest."""

import asyncio

from ulid import ULID

from ledger.primitives.keys import Seed, SigningKey, address_of, format_address, parse_address
from tests.support.api.people_rig import NOBODY, PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, ServiceRig, running_rig
from tests.support.api.wallet_proofs import link
from tests.support.node.fake_node import make_transfer, seed_of, signing_key

CUSTOMER = {"customer": bytes(seed_of("customer"))}
PATH = "/api/v1/test/wallets"


async def made(rig: ServiceRig, body: object, key: str = ""):
    headers = rig.till(**{"Idempotency-Key": key or str(ULID())})
    return await rig.http.post(PATH, json=body, headers=headers)


def test_a_wallet_that_was_made_pays_an_order_by_its_own_seed(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            answer = await made(rig, {"bill": "1.5"}, "once")
            assert answer.status_code == 201, answer.text
            wallet = answer.json()
            again = await made(rig, {"bill": "1.5"}, "once")
            assert again.json() == wallet, "one wallet a key"
            key = SigningKey(Seed(bytes.fromhex(wallet["seed"])))
            address = address_of(key.public)
            assert wallet["address"] == format_address(address, "dbill")
            held = await rig.node.account(parse_address(wallet["address"], "dbill"))
            assert (held.units, wallet["bill"]) == (1_500_000, "1.500000")
            order = await rig.order()
            paid = make_transfer(rig.node, await rig.offer(order), key=key, nonce=0)
            assert (await rig.post(order, paid)).status_code == 202
            await rig.level()
            assert (await rig.validate(paid)).json()["valid"] is True

    asyncio.run(run())


def test_too_much_too_little_and_nonsense_are_refused(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            for body, status in (
                ({"bill": "0"}, 422),
                ({"bill": "20.000001"}, 422),
                ({"bill": "-1"}, 400),
                ({"bill": None}, 400),
                ({}, 400),
                ({"bill": "1", "seed": "00"}, 400),
            ):
                assert (await made(rig, body)).status_code == status, body

    asyncio.run(run())


def test_without_a_made_up_customer_there_are_no_wallets(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database) as rig:
            assert (await made(rig, {"bill": "1"})).status_code == 404

    asyncio.run(run())


def test_a_wallet_link_is_read_by_whose_it_is_alone(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        student, other = await people.member(), await people.member()
        linked = (await link(student, signing_key("mine"))).json()
        path = f"/me/wallet-links/{linked['id']}"
        (listed,) = (await student.ok("GET", "/me/wallet-links"))["data"]
        assert await student.ok("GET", path) == listed
        for member, asked in ((other, path), (student, f"/me/wallet-links/{NOBODY}")):
            assert (await member.call("GET", asked)).status_code == 404

    play(database, story)
