"""`billcoin api init`, `user` and `secrets`: from an empty home to the first officer."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.config import load_config, prepare
from api.people.user_store import list_users
from api.vault.files import load_secrets
from tests.support.api.people_rig import PASSWORD, post
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import rig_over
from tests.support.node.fake_node import FakeNode

RUN = CliRunner()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def prepared(home: Path) -> None:
    prepare(
        home, node_urls=["http://127.0.0.1:1"], database_dir=home / "db", database_port=1, port=1
    )


def command(*words: str):
    return RUN.invoke(app, words)


def test_init_makes_what_is_missing_and_keeps_what_is_there(tmp_path: Path) -> None:
    done = command("init", "--home", str(tmp_path))
    assert done.exit_code == 0
    first = load_secrets(tmp_path)
    assert command("init", "--home", str(tmp_path)).exit_code == 0
    assert load_secrets(tmp_path) == first
    for secret in (first.index, first.session, first.pin, *first.masters.values()):
        assert secret.hex() not in done.output
    (first.folder / "pin.key").chmod(0o644)
    assert command("init", "--home", str(tmp_path)).exit_code == 1


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    exit_code: int
    output: str


async def do(*words: str) -> Done:
    """Run a command beside the loop, in a process of its own: nothing else writes its output."""
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "node.cli.main", "api", *words), stdout=PIPE, stderr=STDOUT
    )
    output, _ = await started.communicate()
    assert started.returncode is not None
    return Done(started.returncode, output.decode())


def test_the_first_officer_comes_by_the_command_line(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path)
    invite = ("user", "invite", "--home", str(tmp_path), "--name", "Rahim")

    async def run() -> None:
        async with database.fresh_database() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            early = await do(*invite)
            assert early.exit_code == 1
            async with rig_over(load_config(tmp_path), FakeNode()) as rig:
                told = json.loads((await do(*invite, "--json")).output)
                body = {"unionId": told["unionId"], "code": told["activationCode"]}
                entered = await post(rig, "/auth/activate", {**body, "password": PASSWORD})
                roles = [role["role"] for role in entered.json()["user"]["roles"]]
                assert sorted(roles) == ["student", "union_officer"]
                till = ("--role", "cashier", "--merchant", "Tenusu Kiosk")
                assert "/activate#union=" in (await do(*invite, *till)).output

    asyncio.run(run())


@pytest.mark.parametrize(
    "wrong",
    [
        ("--role", "king"),
        ("--role", "cashier"),
        ("--merchant", "Nowhere", "--role", "cashier"),
        ("--union", "Nowhere"),
        ("--login", "officer"),
    ],
)
def test_an_invitation_that_can_t_be_is_one_line(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...]
) -> None:
    prepared(tmp_path)

    async def run() -> None:
        async with database.fresh_database() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            async with rig_over(load_config(tmp_path), FakeNode()):
                bad = await do("user", "invite", "--home", str(tmp_path), "--name", "X", *wrong)
                assert bad.exit_code == 1
                assert len(bad.output.strip().splitlines()) == 1

    asyncio.run(run())


def test_after_the_master_key_has_turned_everybody_is_read_under_the_new_one(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path)
    node = FakeNode()

    async def run() -> None:
        async with database.fresh_database() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            async with rig_over(load_config(tmp_path), node):
                pass  # It has written the demonstration's people down.
            turned = await do("secrets", "turn-master", "--home", str(tmp_path))
            assert turned.output.startswith("5 data keys"), turned.output
            assert sorted(load_secrets(tmp_path).masters) == [1, 2]
            (tmp_path / "secrets" / "master-1.key").unlink()
            async with rig_over(load_config(tmp_path), node) as rig:
                people = await people_of_union(rig)
                assert len([user async for user in everybody(rig, people)]) == 5

    asyncio.run(run())


async def people_of_union(rig) -> str:
    return str(await rig.scalar("SELECT id FROM unions"))


async def everybody(rig, union_id: str):
    async with rig.service.engine.connect() as connection:
        for user in await list_users(connection, rig.service.desks.means.vault, union_id, "", 99):
            yield user


def test_new_keys_of_tokens_are_drawn_while_the_service_runs(tmp_path: Path) -> None:
    prepared(tmp_path)
    assert command("secrets", "turn-jwt", "--home", str(tmp_path)).exit_code == 0
    assert sorted(load_secrets(tmp_path).jwt) == [1, 2]
    assert command("secrets", "turn-jwt", "--home", str(tmp_path), "--at-once").exit_code == 0
    assert sorted(load_secrets(tmp_path).jwt) == [3]
