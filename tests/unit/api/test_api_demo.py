"""A development network's people are there from the start, and a network in earnest has none."""

import asyncio

import pytest

from api.access.roles import Role
from api.config import load_config, prepare
from api.errors import ConfigFault
from api.people.demo import admit_demo
from api.people.demo_file import draw_demo, keep_demo, read_demo
from ledger.primitives.keys import Seed, SigningKey
from tests.support.api.people_rig import PeopleRig, TillUnderTest, play, post
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import Clocks, running_rig

DEMO = draw_demo("Dairy Union", "Kiosk")


def test_everyone_of_the_file_gets_in_and_a_cashier_works_at_the_till(
    database: TestDatabase,
) -> None:
    async def story(people: PeopleRig, clocks: Clocks) -> None:
        for person in DEMO.people:
            body = {
                "unionId": people.union_id,
                "loginName": person.login_name,
                "password": person.password,
            }
            entered = await post(people.rig, "/auth/login", body)
            assert entered.status_code == 200, person.login_name
            held = [role["role"] for role in entered.json()["user"]["roles"]]
            assert set(held) == {"student", person.role}
        key = SigningKey(Seed(bytes.fromhex(DEMO.till.seed)))
        till = TillUnderTest(people.rig, DEMO.till.terminal_id, people.merchant_id, key)
        assert (await till.renew()).status_code == 200
        cashier = next(person for person in DEMO.people if person.role is Role.CASHIER)
        signed_in = {"staffCode": cashier.staff_code, "pin": cashier.pin}
        assert (await till.call("POST", "/cashier-sessions", signed_in)).status_code == 201

    play(database, story, demo=DEMO)


def test_they_are_written_down_once_though_every_worker_tries(database: TestDatabase) -> None:
    async def run() -> None:
        async with running_rig(database, demo=DEMO, ready=False) as rig:
            engine, desks = rig.service.engine, rig.service.desks
            await asyncio.gather(*(admit_demo(engine, desks, DEMO) for _ in range(3)))
            assert await rig.scalar("SELECT count(*) FROM users") == len(DEMO.people)
            assert await rig.scalar("SELECT count(*) FROM terminals") == 1

    asyncio.run(run())


def prepared(home, prefix: str = "dbill") -> None:
    prepare(
        home, node_urls=["http://127.0.0.1:1"], database_dir=home / "db", database_port=1, port=1,
        prefix=prefix,
    )  # fmt: skip


def test_a_development_home_keeps_its_people_in_a_file_of_its_owner_alone(tmp_path) -> None:
    prepared(tmp_path)
    first = read_demo(tmp_path)
    prepared(tmp_path)
    assert first == read_demo(tmp_path) == load_config(tmp_path).demo
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    for person in first.people:
        assert person.password not in (tmp_path / "config.toml").read_text("utf-8")


def test_a_network_in_earnest_has_no_such_people(tmp_path) -> None:
    prepared(tmp_path, prefix="bill")
    assert load_config(tmp_path).demo is None
    keep_demo(tmp_path, "Dairy Union", "Kiosk")
    with pytest.raises(ConfigFault, match="remove it"):
        load_config(tmp_path)


def test_a_file_that_can_t_be_read_is_told(tmp_path) -> None:
    prepared(tmp_path)
    (tmp_path / "demo.json").write_text("{}", "utf-8")
    with pytest.raises(ConfigFault, match=r"demo\.json"):
        load_config(tmp_path)
