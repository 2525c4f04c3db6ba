"""Unions and merchants: contacts for everyone, changes by officers, accounts never by a file."""

import asyncio

import pytest

from api.access.roles import Role
from api.config import ApiConfig
from ledger.primitives.keys import Seed, SigningKey, address_of, format_address
from tests.support.api.people_rig import PeopleRig, play
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, rig_config, rig_over
from tests.support.node.fake_node import FakeNode

ADDRESS = format_address(address_of(SigningKey(Seed(b"\7" * 32)).public), "dbill")
CONTACT = {
    "name": "Mithila Milk Union",
    "office": "Block A, room 12",
    "telephone": "+60 3 8312 5000",
    "email": "office@mithila.example",
    "hours": "Mon-Fri 9-17",
    "developerContact": "help@billcoin.example",
}


async def admin_of(people: PeopleRig):
    return await people.member((Role.ADMIN, people.union_id))


def test_a_union_begins_by_an_admin_and_is_corrected_by_its_officer(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        admin, officer = await admin_of(people), await people.officer()
        assert (await officer.call("POST", "/unions", CONTACT)).status_code == 403
        union = await admin.ok("POST", "/unions", CONTACT)
        assert {name: union[name] for name in CONTACT} == CONTACT
        own = await people.officer(union["id"])
        at = f"/unions/{union['id']}"
        changed = await own.ok("PATCH", at, {"hours": "Mon-Sat 8-16"})
        assert changed == {**union, "hours": "Mon-Sat 8-16"}
        assert (await own.ok("PATCH", at, {})) == changed
        taken = await own.call("PATCH", at, {"name": "Dairy Union"})
        assert (taken.status_code, taken.json()["code"]) == (409, "ALREADY_KNOWN")
        twice = await admin.call("POST", "/unions", CONTACT)
        assert (twice.status_code, twice.json()["code"]) == (409, "ALREADY_KNOWN")
        shown = await people.rig.http.get(f"/api/v1{at}")
        assert shown.json() == changed, "everyone may see whom to turn to"
        names = [
            one["name"] for one in (await people.rig.http.get("/api/v1/unions")).json()["data"]
        ]
        assert names == ["Dairy Union", "Mithila Milk Union"]
        assert (await people.rig.http.get("/api/v1/unions/nothing")).status_code == 404
        assert (await people.rig.http.get(f"/api/v1/unions/{admin.id}")).status_code == 404

    play(database, story)


def test_a_merchant_begins_by_its_union_s_officer(database: TestDatabase) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        body = {"name": "Canteen", "payoutAddress": ADDRESS, "operatingAddress": ADDRESS}
        made = await officer.ok("POST", "/merchants", body)
        assert (made["unionId"], made["timeZone"]) == (people.union_id, "Asia/Kuala_Lumpur")
        assert made["payoutAddress"] == made["operatingAddress"] == ADDRESS
        again = await officer.call("POST", "/merchants", body)
        assert (again.status_code, again.json()["code"]) == (409, "ALREADY_KNOWN")
        at = f"/merchants/{made['id']}"
        changed = await officer.ok("PATCH", at, {"timeZone": "Asia/Jakarta", "name": "Canteen 2"})
        assert changed["approvalId"] is None
        assert changed["merchant"] == {**made, "timeZone": "Asia/Jakarta", "name": "Canteen 2"}
        taken = await officer.call("PATCH", at, {"name": "Kiosk"})
        assert (taken.status_code, taken.json()["code"]) == (409, "ALREADY_KNOWN")
        listed = (await people.rig.http.get("/api/v1/merchants?limit=2")).json()
        rest = await people.rig.http.get(f"/api/v1/merchants?limit=2&cursor={listed['nextCursor']}")
        names = [one["name"] for one in listed["data"] + rest.json()["data"]]
        assert sorted(names) == ["Canteen 2", "Kiosk", "Other"]
        elsewhere = await people.rig.http.get(f"/api/v1/merchants?unionId={officer.id}")
        assert elsewhere.json()["data"] == []

    play(database, story)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"payoutAddress": "dbill1qqqqqq"}, 422, "BAD_ADDRESS"),
        ({"payoutAddress": ADDRESS.replace("dbill", "bill")}, 422, "BAD_ADDRESS"),
        ({"operatingAddress": ADDRESS[:-1] + "q"}, 422, "BAD_ADDRESS"),
        ({"timeZone": "Asia/Nowhere"}, 422, "REFUSED"),
        ({"timeZone": "../../etc/passwd"}, 400, "MALFORMED_REQUEST"),
        ({"name": ""}, 400, "MALFORMED_REQUEST"),
        ({"payout": ADDRESS}, 400, "MALFORMED_REQUEST"),
    ],
)
def test_what_makes_no_sense_of_a_merchant_is_refused(
    database: TestDatabase, body: dict[str, str], status: int, code: str
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        officer = await people.officer()
        whole = {"name": "Canteen", "payoutAddress": ADDRESS, **body}
        answer = await officer.call("POST", "/merchants", whole)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        changed = await officer.call("PATCH", f"/merchants/{people.merchant_id}", body)
        assert (changed.status_code, changed.json()["code"]) == (status, code)

    play(database, story)


def test_a_configuration_s_merchant_keeps_the_account_that_it_began_with(
    database: TestDatabase,
) -> None:
    """Whoever can write the file must not move the money: two people do, after a day."""

    async def run() -> None:
        node = FakeNode()
        async with database.fresh_database() as url:
            config = rig_config(url, ("bck_test_" + "a" * 52, "bck_test_" + "b" * 52))
            async with rig_over(config, node):
                pass
            moved = [one.model_copy(update={"payout_address": ADDRESS}) for one in config.merchants]
            later = ApiConfig.model_validate(
                {**config.model_dump(), "secrets": config.secrets, "merchants": moved}
            )
            async with rig_over(later, node) as rig:
                found = (await rig.http.get("/api/v1/merchants")).json()["data"]
                assert ADDRESS not in [one["payoutAddress"] for one in found]

    asyncio.run(run())


def test_a_configuration_names_its_unions_and_whose_each_merchant_is(
    database: TestDatabase,
) -> None:
    base = rig_config("postgresql://x", ("bck_test_" + "a" * 52, "bck_test_" + "b" * 52))
    unions = [{"name": "One"}, {"name": "Two"}]
    merchants = [
        {**base.merchants[0].model_dump(), "union": "Two"},
        base.merchants[1].model_dump(),
    ]
    whole = {**base.model_dump(), "unions": unions, "merchants": merchants}
    for wrong in (
        {"merchants": [{**merchants[0], "union": "Three"}]},
        {"merchants": [merchants[1], merchants[1]]},
        {"unions": [unions[0], unions[0]]},
    ):
        with pytest.raises(ValueError, match=r"no union|listed twice"):
            ApiConfig.model_validate({**whole, **wrong})

    async def run() -> None:
        async with database.fresh_database() as url:
            config = ApiConfig.model_validate({**whole, "database_url": url})
            async with rig_over(config, FakeNode()) as rig:
                found = (await rig.http.get("/api/v1/merchants")).json()["data"]
                named = (await rig.http.get("/api/v1/unions")).json()["data"]
                union_names = {one["id"]: one["name"] for one in named}
                shops = {one["name"]: union_names[one["unionId"]] for one in found}
                assert shops == {"Kiosk": "Two", "Other": "One"}

    asyncio.run(run())


def test_what_its_office_renamed_is_the_configuration_s_as_before(database: TestDatabase) -> None:
    keys = ("bck_test_" + "a" * 52, "bck_test_" + "b" * 52)

    async def started(config: ApiConfig, names: dict[str, str]) -> dict[str, str]:
        """Start a service, name a shop and its union otherwise; give ids by name before that."""
        async with rig_over(config, FakeNode()) as rig:
            await rig.execute("UPDATE unions SET name = 'Mithila' WHERE name = 'Dairy Union'")
            found = (await rig.http.get("/api/v1/merchants")).json()["data"]
            for before, after in names.items():
                await rig.execute(f"UPDATE merchants SET name = '{after}' WHERE name = '{before}'")
            assert await rig.scalar("SELECT count(*) FROM unions") == 1
            return {one["name"]: one["id"] for one in found}

    async def run() -> None:
        async with database.fresh_database() as url:
            config = rig_config(url, keys)
            first = await started(config, {"Kiosk": "Kiosk by the gate"})
            again = await started(config, {})
            assert again == {"Kiosk by the gate": first["Kiosk"], "Other": first["Other"]}
            followed = [
                merchant.model_copy(update={"name": name})
                for merchant, name in zip(
                    config.merchants, ("Kiosk by the gate", "Other"), strict=True
                )
            ]
            config = config.model_copy(update={"merchants": tuple(followed)})
            assert await started(config, {}) == again, "the configuration may follow"

    asyncio.run(run())
