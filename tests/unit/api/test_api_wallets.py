"""Wallets: linked by a signed challenge, one address one person, and the way in for students."""

from api.people.challenges import CHALLENGE_MS
from ledger.primitives.keys import Policy, Seed, SigningKey, address_of, format_address
from tests.support.api.people_rig import PeopleRig, play, post
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks
from tests.support.api.wallet_proofs import link, signed

WALLETS = [SigningKey(Seed(bytes([number]) * 32)) for number in range(1, 9)]


async def login(people: PeopleRig, *keys: SigningKey, policy: Policy | None = None):
    """Log in with a wallet, in a new browser; give the answer."""
    challenge = (await post(people.rig, "/auth/challenges", {"unionId": people.union_id})).json()
    proof = signed(challenge, *keys, policy=policy)
    wallet = {"nonce": challenge["nonce"], "expiresMs": challenge["expiresMs"], **proof}
    return await post(people.rig, "/auth/login", {"unionId": people.union_id, "wallet": wallet})


def test_a_wallet_is_linked_in_ones_own_page_and_logs_in_from_then_on(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        assert (await login(people, WALLETS[0])).json()["code"] == "PROOF_REFUSED"
        linked = (await link(member, WALLETS[0])).json()
        assert linked["state"] == "active"
        assert linked["address"] == format_address(address_of(WALLETS[0].public), "dbill")
        entered = await login(people, WALLETS[0])
        assert entered.status_code == 200
        assert entered.json()["user"]["id"] == member.id
        notices = (await member.ok("GET", "/me"))["notices"]
        assert [notice["kind"] for notice in notices] == ["wallet_linked"]

    play(database, story)


def test_a_wallet_of_two_devices_is_linked_and_logs_in_with_either(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        either = Policy(1, tuple(sorted(key.public for key in WALLETS[:2])))
        assert (await link(member, WALLETS[0], policy=either)).json()["state"] == "active"
        for key in WALLETS[:2]:
            assert (await login(people, key, policy=either)).status_code == 200
        assert (await login(people, WALLETS[0])).status_code == 401, "that is another account"

    play(database, story)


def test_another_app_s_proof_counts_once_the_person_says_so(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member, stranger = await people.member(), await people.member()
        begun = await member.ok("POST", "/me/wallet-links")
        body = {"unionId": begun["unionId"], **signed(begun["challenge"], WALLETS[0])}
        path = f"/me/wallet-links/{begun['id']}"
        proven = await people.rig.http.put(f"/api/v1{path}/proof", json=body)
        assert proven.json()["state"] == "proven"
        assert (await login(people, WALLETS[0])).status_code == 401, "nobody has confirmed it"
        assert (await stranger.call("POST", f"{path}/confirm")).status_code == 404
        (shown,) = (await member.ok("GET", "/me/wallet-links"))["data"]
        assert (shown["state"], shown["address"]) == ("proven", proven.json()["address"])
        assert (await member.ok("POST", f"{path}/confirm"))["state"] == "active"
        assert (await login(people, WALLETS[0])).status_code == 200

    play(database, story)


def test_an_address_is_one_person_s_until_they_let_it_go(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.member(), await people.member()
        linked = (await link(first, WALLETS[0])).json()
        taken = await link(second, WALLETS[0])
        assert (taken.status_code, taken.json()["code"]) == (409, "ADDRESS_LINKED")
        assert (await second.call("DELETE", f"/me/wallet-links/{linked['id']}")).status_code == 404
        assert (await first.call("DELETE", f"/me/wallet-links/{linked['id']}")).status_code == 204
        assert (await first.call("DELETE", f"/me/wallet-links/{linked['id']}")).status_code == 204
        assert (await link(second, WALLETS[0])).json()["state"] == "active"
        assert (await login(people, WALLETS[0])).json()["user"]["id"] == second.id

    play(database, story)


def test_a_second_wallet_takes_the_first_and_nobody_has_six(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        assert (await link(member, WALLETS[0])).status_code == 200
        refused = await member.call("POST", "/me/wallet-links")
        assert (refused.status_code, refused.json()["code"]) == (403, "WALLET_LOGIN_REQUIRED")
        member.token = (await login(people, WALLETS[0])).json()["accessToken"]
        for wallet in WALLETS[1:5]:
            assert (await link(member, wallet)).json()["state"] == "active"
        full = await member.call("POST", "/me/wallet-links")
        assert (full.status_code, full.json()["code"]) == (409, "WALLETS_FULL")

    play(database, story)


def test_a_challenge_is_over_after_five_minutes(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        begun = await member.ok("POST", "/me/wallet-links")
        body = {"unionId": begun["unionId"], **signed(begun["challenge"], WALLETS[0])}
        clocks.wall_ahead_ms += CHALLENGE_MS
        path = f"/me/wallet-links/{begun['id']}/proof"
        assert (await member.call("PUT", path, body)).status_code == 404
        assert (await member.ok("GET", "/me/wallet-links"))["data"] == []

    play(database, story)


def test_the_database_holds_no_address_in_the_clear(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        member = await people.member()
        await link(member, WALLETS[0])
        address = address_of(WALLETS[0].public)
        rows = await people.rig.scalar("SELECT string_agg(t::text, '|') FROM wallet_links t")
        claims = await people.rig.scalar("SELECT string_agg(t::text, '|') FROM claims t")
        for text in (str(rows), str(claims)):
            assert address.hex() not in text
            assert WALLETS[0].public.hex() not in text

    play(database, story)


def test_a_sealed_address_that_is_carried_to_another_person_does_not_open(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        first, second = await people.member(), await people.member()
        await link(first, WALLETS[0])
        await link(second, WALLETS[1])
        await people.rig.execute(
            f"UPDATE wallet_links SET address = (SELECT address FROM wallet_links "
            f"WHERE user_id = '{second.id}') WHERE user_id = '{first.id}'"
        )
        assert (await first.call("GET", "/me/wallet-links")).status_code == 500

    play(database, story)
