"""Attacks on wallets: challenges carried elsewhere or used twice, and a rogue officer."""

import asyncio
from collections.abc import Iterator

import pytest

from api.people.challenges import ProofPurpose
from tests.support.api.people_rig import PeopleRig, play, post
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import Clocks
from tests.support.api.two_workers import two_workers
from tests.support.api.wallet_proofs import signed
from tests.unit.api.test_api_wallets import WALLETS, link, login


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def test_a_link_s_challenge_is_no_other_s(database: TestDatabase) -> None:
    """For another host, chain, purpose, user or time, and sent a second time: it links nothing."""

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member, thief = await people.member(), await people.member()
        begun = await member.ok("POST", "/me/wallet-links")
        path = f"/me/wallet-links/{begun['id']}/proof"
        for changes in (
            {"host": "evil.example"},
            {"chain_id": b"\1" * 32},
            {"purpose": ProofPurpose.LOGIN},
            {"nonce": b"\1" * 32},
            {"expires_ms": begun["challenge"]["expiresMs"] + 1},
        ):
            body = {
                "unionId": begun["unionId"],
                **signed(begun["challenge"], WALLETS[0], **changes),
            }
            answer = await member.call("PUT", path, body)
            assert (answer.status_code, answer.json()["code"]) == (422, "LINK_PROOF_REFUSED")
        good = {"unionId": begun["unionId"], **signed(begun["challenge"], WALLETS[0])}
        theirs = await thief.ok("POST", "/me/wallet-links")
        carried = await thief.call("PUT", f"/me/wallet-links/{theirs['id']}/proof", good)
        assert carried.status_code == 422, "a proof for one person's link is none for another's"
        assert (await member.call("PUT", path, good)).json()["state"] == "active"
        assert (await member.call("PUT", path, good)).status_code == 404
        elsewhere = {**good, "unionId": thief.id}
        assert (await member.call("PUT", path, elsewhere)).status_code == 404

    play(database, story)


def test_who_reads_a_challenge_over_a_shoulder_links_no_wallet_of_his_own(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member, thief = await people.member(), await people.member()
        begun = await member.ok("POST", "/me/wallet-links")
        body = {"unionId": begun["unionId"], **signed(begun["challenge"], WALLETS[5])}
        path = f"/me/wallet-links/{begun['id']}"
        assert (await thief.call("PUT", f"{path}/proof", body)).json()["state"] == "proven"
        assert (await thief.call("POST", f"{path}/confirm")).status_code == 404
        assert (await login(people, WALLETS[5])).status_code == 401
        assert (await link(member, WALLETS[0])).json()["state"] == "active", "he begins anew"

    play(database, story)


def test_a_login_s_proof_lets_in_once_and_at_its_own_union(database: TestDatabase) -> None:
    async def run() -> None:
        async with two_workers(database) as (people, second):
            member = await people.member()
            await link(member, WALLETS[0])
            asked = {"unionId": people.union_id}
            challenge = (await post(people.rig, "/auth/challenges", asked)).json()
            proof = signed(challenge, WALLETS[0])
            wallet = {"nonce": challenge["nonce"], "expiresMs": challenge["expiresMs"], **proof}
            body = {"unionId": people.union_id, "wallet": wallet}
            elsewhere = {**body, "unionId": member.id}
            assert (await post(people.rig, "/auth/login", elsewhere)).status_code == 401
            late = {**body, "wallet": {**wallet, "expiresMs": wallet["expiresMs"] + 1}}
            assert (await post(people.rig, "/auth/login", late)).status_code == 401
            workers = [people.rig, second] * 3
            answers = await asyncio.gather(
                *(post(worker, "/auth/login", body) for worker in workers)
            )
            assert sorted(answer.status_code for answer in answers) == [200] + [401] * 5

    asyncio.run(run())


def test_one_rogue_officer_comes_to_nobody_s_points(database: TestDatabase) -> None:
    """He invites a student anew and activates as them: he links no wallet, and they are told."""

    async def story(people: PeopleRig, clocks: Clocks) -> None:
        rogue, student = await people.officer(), await people.member()
        await link(student, WALLETS[0])
        invited = await rogue.ok("POST", f"/users/{student.id}/reinvite")
        told = [notice["kind"] for notice in (await student.ok("GET", "/me"))["notices"]]
        assert "reinvited" in told
        body = {"unionId": people.union_id, "code": invited["activationCode"]}
        entered = (await post(people.rig, "/auth/activate", body)).json()
        rogue.token = entered["accessToken"]
        refused = await rogue.call("POST", "/me/wallet-links")
        assert (refused.status_code, refused.json()["code"]) == (403, "WALLET_LOGIN_REQUIRED")
        assert (await login(people, WALLETS[0])).status_code == 200, "the wallet is still theirs"

    play(database, story)
