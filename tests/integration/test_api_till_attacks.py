"""Attacks on tills: PINs guessed in parallel, stolen codes, a man between, and others' tills."""

import asyncio
from collections.abc import Iterator

import pytest

from api.access.roles import Role
from api.terminals.rules import commitment_of, match_digits
from ledger.primitives.keys import Seed, SigningKey
from tests.support.api.people_rig import PeopleRig, play, post
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import Clocks
from tests.support.api.two_workers import two_workers
from tests.unit.api.test_api_terminals import sign_in


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def test_a_hundred_pins_at_once_in_two_workers_are_judged_five_times(
    database: TestDatabase,
) -> None:
    """Whoever guesses in parallel must not be ahead of the count."""

    async def run() -> None:
        async with two_workers(database) as (people, second):
            manager, cashier = await people.manager(), await people.cashier()
            till = await people.till(manager)
            headers = {"Authorization": f"Bearer {till.token}"}

            async def guess(number: int) -> str:
                worker = people.rig if number % 2 else second
                body = {"staffCode": cashier.staff_code, "pin": f"{number:06d}"}
                answer = await worker.http.post(
                    "/api/v1/cashier-sessions", json=body, headers=headers
                )
                return str(answer.json()["code"])

            codes = await asyncio.gather(*(guess(number) for number in range(60)))
            assert codes.count("PIN_WRONG") == 5
            assert set(codes) <= {"PIN_WRONG", "LOCKED", "OVERLOADED", "TERMINAL_LOCKED"}
            assert (await sign_in(till, cashier)).status_code in (401, 423), "not now, right or not"

    asyncio.run(run())


async def begin_pairing(people: PeopleRig, code: str, key: SigningKey, nonce: bytes):
    body = {"code": code, "commitment": commitment_of(key.public, nonce).hex()}
    return await post(people.rig, "/terminals/pair", body)


def test_a_pairing_code_is_good_once_for_two_minutes(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        key, nonce = SigningKey(Seed(b"\5" * 32)), bytes(32)
        made = await manager.ok("POST", "/terminals", {"label": "Front"})
        first = await begin_pairing(people, made["pairingCode"], key, nonce)
        assert first.status_code == 200
        again = await begin_pairing(people, made["pairingCode"], key, nonce)
        assert (again.status_code, again.json()["code"]) == (401, "CODE_REFUSED")
        late = await manager.ok("POST", "/terminals", {"label": "Back"})
        clocks.wall_ahead_ms += 120_000
        over = await begin_pairing(people, late["pairingCode"], key, nonce)
        assert (over.status_code, over.json()["code"]) == (401, "CODE_REFUSED")

    play(database, story)


def test_who_steals_the_code_has_digits_that_the_till_does_not_show(
    database: TestDatabase,
) -> None:
    """The thief was faster. The manager reads the till's own screen, and other digits end it."""

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        thief, till = SigningKey(Seed(b"\6" * 32)), SigningKey(Seed(b"\7" * 32))
        made = await manager.ok("POST", "/terminals", {"label": "Front"})
        at = f"/terminals/{made['terminal']['id']}"
        early = await manager.call("POST", f"{at}/confirm", {"match": "0000"})
        assert early.json()["code"] == "NOT_PAIRING"
        paired = (await begin_pairing(people, made["pairingCode"], thief, bytes(32))).json()
        shown = {"publicKey": thief.public.hex(), "nonce": bytes(32).hex()}
        assert (await post(people.rig, f"{at}/key", shown)).status_code == 200
        server_nonce = bytes.fromhex(paired["serverNonce"])
        read = match_digits(till.public, bytes(range(32)), server_nonce)
        if read == match_digits(thief.public, bytes(32), server_nonce):
            return  # One in ten thousand.
        refused = await manager.call("POST", f"{at}/confirm", {"match": read})
        assert (refused.status_code, refused.json()["code"]) == (422, "MATCH_REFUSED")
        assert (await manager.ok("GET", at))["state"] == "revoked"
        right = match_digits(thief.public, bytes(32), server_nonce)
        assert (await manager.call("POST", f"{at}/confirm", {"match": right})).status_code == 409

    play(database, story)


def test_a_man_between_can_t_search_for_a_key_with_the_same_digits(
    database: TestDatabase,
) -> None:
    """He has committed to his key before he knows the nonce that the digits are made with."""

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        made = await manager.ok("POST", "/terminals", {"label": "Front"})
        at = f"/terminals/{made['terminal']['id']}"
        mine = SigningKey(Seed(b"\6" * 32))
        assert (await begin_pairing(people, made["pairingCode"], mine, bytes(32))).is_success
        for number in range(1, 20):
            other = SigningKey(Seed(bytes([number]) * 32))
            body = {"publicKey": other.public.hex(), "nonce": bytes(32).hex()}
            answer = await post(people.rig, f"{at}/key", body)
            refused = answer.json().get("code") == "KEY_REFUSED"
            assert refused == (other.public != mine.public)
        body = {"publicKey": mine.public.hex(), "nonce": bytes(range(32)).hex()}
        assert (await post(people.rig, f"{at}/key", body)).json()["code"] == "KEY_REFUSED"

    play(database, story)


def test_a_till_s_proof_is_of_its_own_key_and_good_once(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        first, second = await people.till(manager), await people.till(manager)
        asked = {"terminalId": first.id}
        challenge = (await post(people.rig, "/auth/challenges", asked)).json()
        times = {name: challenge[name] for name in ("nonce", "expiresMs")}
        message = bytes.fromhex(challenge["message"])
        path = f"/terminals/{first.id}/session"
        stranger = {**times, "signature": second.key.sign(message).hex()}
        assert (await post(people.rig, path, stranger)).json()["code"] == "PROOF_REFUSED"
        mine = {**times, "signature": first.key.sign(message).hex()}
        other = f"/terminals/{second.id}/session"
        assert (await post(people.rig, other, mine)).json()["code"] == "PROOF_REFUSED"
        assert (await post(people.rig, path, mine)).status_code == 200
        assert (await post(people.rig, path, mine)).json()["code"] == "PROOF_REFUSED"

    play(database, story)


def test_a_manager_of_another_merchant_finds_no_till_here(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        manager = await people.manager()
        till = await people.till(manager)
        other = await people.member((Role.MANAGER, people.other_merchant_id))
        assert (await other.ok("GET", "/terminals"))["data"] == []
        for method, act, body in (
            ("GET", "", None),
            ("POST", "/confirm", {"match": "0000"}),
            ("POST", "/lock", None),
            ("POST", "/unlock", None),
            ("POST", "/revoke", None),
        ):
            answer = await other.call(method, f"/terminals/{till.id}{act}", body)
            assert answer.status_code == 404, act
        assert (await manager.ok("GET", f"/terminals/{till.id}"))["state"] == "active"
        assert (await sign_in(till, other)).json()["code"] == "PIN_WRONG", "no manager here"

    play(database, story)
