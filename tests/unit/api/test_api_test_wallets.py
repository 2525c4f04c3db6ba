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
ONCE_IN_VAIN = (
    "CREATE SEQUENCE tries",
    """
    CREATE FUNCTION lose_a_race() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('tries') = 1 THEN RAISE EXCEPTION 'in vain' USING ERRCODE = '40001'; END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER lose_a_race BEFORE INSERT ON idempotent_answers
        FOR EACH ROW EXECUTE FUNCTION lose_a_race()
    """,
)
"""A database that asks for the first answer's transaction anew, as it does when one lost a race."""


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


def test_a_crowd_that_wants_wallets_leaves_connections_for_everybody_else(
    database: TestDatabase,
) -> None:
    async def run() -> None:
        async with running_rig(database, pool_size=3, **CUSTOMER) as rig:
            crowd = [asyncio.create_task(made(rig, {"bill": "1"})) for _ in range(8)]
            async with asyncio.timeout(15):
                await rig.order()
                answers = await asyncio.gather(*crowd)
            assert {answer.status_code for answer in answers} == {201}
            assert len({answer.json()["address"] for answer in answers}) == 8

    asyncio.run(run())


def test_a_wallet_is_funded_once_however_often_its_answer_is_written(
    database: TestDatabase,
) -> None:
    """The database may ask for a transaction anew: what was broadcast is not in it."""

    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            for statement in ONCE_IN_VAIN:
                await rig.execute(statement)
            answer = await made(rig, {"bill": "1"})
            assert answer.status_code == 201, answer.text
            assert await rig.scalar("SELECT last_value FROM tries") == 2, "it was written twice"
            customer = address_of(signing_key("customer").public)
            assert (await rig.node.account(customer)).pending_nonce == 1

    asyncio.run(run())


def test_what_a_key_made_is_not_made_for_another_wish(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database, **CUSTOMER) as rig:
            assert (await made(rig, {"bill": "1"}, "once")).status_code == 201
            other = await made(rig, {"bill": "2"}, "once")
            assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
            customer = address_of(signing_key("customer").public)
            assert (await rig.node.account(customer)).pending_nonce == 1

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
