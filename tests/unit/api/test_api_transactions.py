"""What a wallet hands in that pays no order, proofs of what is final, and the kinds of milk."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from ledger.params import DEFAULT_SHELF_DAYS
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.keys import Policy, address_of
from ledger.types.mandate import GrantMandate, PriceMode
from ledger.types.transaction import Intent, Transaction, sign
from ledger.types.transfer import Transfer
from node.client.views import Submission
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.node.fake_node import CUSTOMER, FEE_UNITS, MERCHANT, OTHER_MERCHANT


def on_rig(
    database: TestDatabase, act: Callable[[ServiceRig], Awaitable[None]], **options: object
) -> None:
    async def run() -> None:
        async with running_rig(database, **options) as rig:
            await act(rig)

    asyncio.run(run())


def signed(rig: ServiceRig, body: object, **changes: object) -> Transaction:
    """Sign a body as the customer."""
    intent = Intent(
        chain_id=changes.get("chain_id", rig.node.chain.chain_id),
        sender=Policy.single(CUSTOMER.public),
        nonce=changes.get("nonce", rig.node.next_nonce(CUSTOMER)),
        fee_units=Units(FEE_UNITS),
        valid_until_height=10_000,
        body=body,
    )
    return sign(intent, CUSTOMER)


def gift(units: int = 1_000, reference: bytes = bytes(32)) -> Transfer:
    return Transfer(
        to=address_of(OTHER_MERCHANT.public), units=Units(units), reference=reference, redeem=()
    )


def mandate(rig: ServiceRig) -> GrantMandate:
    return GrantMandate(
        merchant=address_of(MERCHANT.public),
        period_ms=86_400_000,
        milk_units=Units(500_000),
        mode=PriceMode.TOKENS_A_LITRE,
        price=1_250_000,
        charge_units_max=Units(1_000_000),
        total_units_max=Units(30_000_000),
        end_ms=rig.node.chain.time_ms + 30 * 86_400_000,
    )


async def hand_in(rig: ServiceRig, transaction: Transaction) -> httpx.Response:
    body = {"transaction": encode(transaction).hex()}
    return await rig.http.post("/api/v1/transactions", json=body)


def test_a_wallet_hands_in_a_gift_and_is_told_what_became_of_it(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        given = signed(rig, gift())
        taken = await hand_in(rig, given)
        assert taken.status_code == 202, taken.text
        assert taken.json() == {"txHash": given.id.hex(), "status": "taken"}
        outcome = (await rig.http.get(f"/api/v1/transactions/{given.id.hex()}")).json()
        assert (outcome["status"], outcome["code"]) == ("final", None)

    on_rig(database, act)


def test_the_same_bytes_may_come_again_whether_they_wait_or_are_final(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        given = signed(rig, gift())
        told = [(await hand_in(rig, given)).json()["status"] for _ in range(2)]
        rig.node.make_block()
        told.append((await hand_in(rig, given)).json()["status"])
        assert told == ["taken", "taken", "final"]

    on_rig(database, act, automatic=False)


def test_what_can_take_no_effect_is_refused_with_its_code(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        forged = Transaction(signed(rig, gift(2_000)).intent, signed(rig, gift()).signatures)
        for transaction, code in (
            (signed(rig, gift(), chain_id=bytes(32)), "WRONG_CHAIN"),
            (forged, "BAD_SIGNATURE"),
            (signed(rig, gift(), nonce=9_999), "BAD_NONCE"),
            (signed(rig, mandate(rig)), "ROLE_MISSING"),
        ):
            answer = await hand_in(rig, transaction)
            assert (answer.status_code, answer.json()["code"]) == (422, code)
            assert (await rig.http.get(f"/errors/{code}")).status_code == 200, "its type resolves"

    on_rig(database, act)


def test_a_payment_of_an_order_is_led_to_its_own_door(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        payment = await rig.signed(await rig.order())
        answer = await hand_in(rig, payment)
        assert (answer.status_code, answer.json()["code"]) == (422, "IS_A_PAYMENT")
        assert rig.node.submissions == 0

    on_rig(database, act)


def test_of_what_nobody_knows_whether_it_was_taken_nothing_is_claimed(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(rig: ServiceRig) -> None:
        given = signed(rig, gift())
        rig.node.mute = True
        silent = await hand_in(rig, given)
        assert (silent.status_code, silent.json()["code"]) == (503, "LEDGER_UNAVAILABLE")
        rig.node.mute = False
        assert (await hand_in(rig, given)).json()["status"] == "final"

        async def full(raws: object) -> list[Submission]:
            return [Submission(None, "pool_full", "no place")]

        monkeypatch.setattr(rig.node, "submit", full)
        busy = await hand_in(rig, signed(rig, gift()))
        assert (busy.status_code, busy.json()["code"]) == (503, "LEDGER_BUSY")

    on_rig(database, act)


def test_a_proof_is_given_of_what_is_final_alone(database: TestDatabase) -> None:
    async def act(rig: ServiceRig) -> None:
        given = signed(rig, gift())
        await hand_in(rig, given)
        path = f"/api/v1/proofs/{given.id.hex()}"
        early = await rig.http.get(path)
        assert (early.status_code, early.json()["code"]) == (404, "NO_PROOF")
        rig.node.make_block()
        proof = await rig.http.get(path, params={"fromEpoch": 0})
        assert (proof.status_code, proof.content) == (200, await rig.node.proof(given.id))
        assert (await rig.http.get("/api/v1/proofs/abc")).status_code == 400
        rig.node.silence()
        assert (await rig.http.get(path)).status_code == 503

    on_rig(database, act, automatic=False)


def test_every_kind_of_milk_is_told_with_the_days_that_the_law_gives_it(
    database: TestDatabase,
) -> None:
    async def act(rig: ServiceRig) -> None:
        listed = (await rig.http.get("/api/v1/milk-kinds")).json()["data"]
        assert {each["kind"]: each["shelfDays"] for each in listed} == DEFAULT_SHELF_DAYS
        assert all(each["allergens"] == ["milk"] for each in listed), "lactose-free, too"
        sources = {each["kind"]: each["source"] for each in listed}
        assert (sources["goat"], sources["buffalo"], sources["uht"]) == ("goat", "buffalo", "cow")
        assert len({each["name"]["ms"] for each in listed}) == len(listed)

    on_rig(database, act)
