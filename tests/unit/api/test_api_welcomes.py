"""The first fees of whoever links a wallet: once a person, with a real signer at work."""

import asyncio

import pytest

from ledger.primitives.keys import address_of
from tests.support.api.cash import LITRE, check_cash_book, wallet_key
from tests.support.api.loyal_people import played, student
from tests.support.api.wallet_proofs import link
from tests.support.system.patience import PATIENCE_S
from tests.unit.api.test_api_wallets import login


@pytest.fixture
def on_rig(database, tmp_path):
    start = played(database, tmp_path)
    return lambda act, **changes: start(act, **{"float_units": 100 * LITRE, **changes})


def test_a_person_is_welcomed_once_whatever_wallets_they_link_and_however_often(on_rig):
    async def act(rig, people):
        officer, second = await people.officer(), await people.officer()
        keys = [wallet_key(name) for name in ("first", "second", "third")]
        async with rig.signing():
            person = await student(people, keys[0])
            await _welcomed(rig, keys[0])
            for key in keys[1:]:
                await _relink(officer, second, people, person, key, rig)
            await asyncio.sleep(0.3)
        held = [(await rig.ledger.account(address_of(key.public))).units for key in keys]
        assert held == [10_000, 0, 0]
        assert await rig.api.scalar("SELECT count(*) FROM welcomes") == 1
        await check_cash_book(rig)

    on_rig(act)


def test_a_welcome_that_failed_is_asked_for_anew_with_the_next_wallet(on_rig):
    async def act(rig, people):
        keys = [wallet_key(name) for name in ("first", "second")]
        async with rig.signing(limits=()):
            person = await student(people, keys[0])
            await _until(rig, "SELECT state FROM welcomes", "failed")
        async with rig.signing():
            person.token = (await login(people, keys[0])).json()["accessToken"]
            await _link(person, keys[1])
            await _welcomed(rig, keys[1])
        assert (await rig.ledger.account(address_of(keys[0].public))).units == 0
        await check_cash_book(rig)

    on_rig(act)


async def _until(rig, statement, value):
    async with asyncio.timeout(PATIENCE_S):
        while await rig.api.scalar(statement) != value:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)


async def _welcomed(rig, key):
    async with asyncio.timeout(PATIENCE_S):
        while (await rig.ledger.account(address_of(key.public))).units < 10_000:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def _relink(officer, second, people, person, key, rig):
    """Rebind a person at the office, as one who has lost their wallet's key, and link another."""
    asked = await officer.ok("POST", f"/users/{person.id}/wallet-rebind")
    await second.ok("POST", f"/approvals/{asked['id']}/approve")
    await rig.api.execute("UPDATE approvals SET not_before_ms = 0")
    await rig.api.service.desks.sweep()
    code = (await officer.ok("POST", f"/users/{person.id}/reinvite"))["activationCode"]
    body = {"unionId": person.union_id, "code": code}
    answer = await person.browser.post("/api/v1/auth/activate", json=body)
    assert answer.status_code == 200, answer.text
    person.token = answer.json()["accessToken"]
    await _link(person, key)


async def _link(person, key):
    assert (await link(person, key)).status_code == 200
