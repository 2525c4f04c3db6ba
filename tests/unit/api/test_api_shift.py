"""A worker's shift: how it begins, when it may serve, and how it ends."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from api.config import ApiConfig, prepare
from api.db.session import open_engine
from api.errors import ConfigFault
from api.http.server import Shift, serve
from api.workers.running import run_workers
from api.workers.words import WorkerEnd
from node.httpd.server import bind
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import rig_config, until
from tests.support.node.fake_node import FakeNode
from tests.support.node.fake_node_http import HttpNode
from tests.support.system.ports import free_port

KEYS = ("bck_test_" + "a" * 52, "bck_test_" + "b" * 52)
NOWHERE = "http://127.0.0.1:9"


class Begun:
    """A shift that notes when it serves."""

    def __init__(self, level_s: float = 0.0, *, must_be_level: bool = False) -> None:
        self.times = 0
        self.shift = Shift(level_s, must_be_level, self._note)

    def _note(self) -> None:
        self.times += 1


def config_of(url: str, node_url: str = NOWHERE) -> ApiConfig:
    return rig_config(url, KEYS, node_urls=(node_url,))


@pytest.mark.parametrize("how", [Shift.end, Shift.leave])
def test_a_worker_that_must_be_level_serves_once_it_is_and_ends_when_told(
    database: TestDatabase, how: Callable[[Shift], None]
) -> None:
    async def run() -> None:
        node, begun = HttpNode(FakeNode()), Begun(30.0, must_be_level=True)
        with bind("127.0.0.1", 0) as listener:
            async with node.serving(), database.fresh_database() as url:
                port = listener.getsockname()[1]
                shift = asyncio.create_task(serve(config_of(url, node.url), listener, begun.shift))
                await until(lambda: begun.times == 1 or shift.done())
                async with httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{port}", trust_env=False
                ) as http:
                    ready = await http.get("/readyz")
                    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
                how(begun.shift)
                assert await shift is WorkerEnd.DONE

    asyncio.run(run())


def test_a_file_that_was_changed_to_send_in_the_clear_ends_a_worker_with_a_word() -> None:
    """As it is found at a renewal: the parent looked at the file that there was before."""

    async def run() -> WorkerEnd:
        with bind("127.0.0.1", 0) as listener:
            return await serve(
                config_of("postgresql://u@10.0.0.9/db"), listener, Shift(0.0, False, lambda: None)
            )

    assert asyncio.run(run()) is WorkerEnd.FAULT


def test_who_was_to_take_another_s_place_and_is_not_level_never_serves(
    database: TestDatabase,
) -> None:
    assert ended(database, config_of, Begun(0.2, must_be_level=True)) is WorkerEnd.NOT_LEVEL


def test_a_database_that_is_not_there_is_a_fault(database: TestDatabase) -> None:
    def elsewhere(url: str) -> ApiConfig:
        return config_of(url.rsplit("/", 1)[0] + "/nowhere")

    assert ended(database, elsewhere, Begun()) is WorkerEnd.FAULT


def ended(database: TestDatabase, made: Callable[[str], ApiConfig], begun: Begun) -> WorkerEnd:
    """Run a worker that ends by itself, and never serves."""

    async def run() -> WorkerEnd:
        with bind("127.0.0.1", 0) as listener:
            async with database.fresh_database() as url:
                return await serve(made(url), listener, begun.shift)

    end = asyncio.run(run())
    assert begun.times == 0
    return end


def test_a_node_of_another_chain_ends_it_with_a_code_of_its_own(database: TestDatabase) -> None:
    async def run() -> None:
        node, begun = HttpNode(FakeNode()), Begun()
        with bind("127.0.0.1", 0) as listener:
            async with node.serving(), database.fresh_database() as url:
                engine = open_engine(url, 1)
                async with engine.begin() as connection:
                    await connection.execute(
                        text(
                            "INSERT INTO follower_cursor (id, chain_id, height, hash, time_ms) "
                            "VALUES (1, decode(repeat('ab', 32), 'hex'), 0, ''::bytea, 0)"
                        )
                    )
                await engine.dispose()
                end = await serve(config_of(url, node.url), listener, begun.shift)
                assert end is WorkerEnd.CHAIN

    asyncio.run(run())


def test_a_port_that_another_listens_at_is_a_fault(database: TestDatabase) -> None:
    async def run() -> None:
        with bind("127.0.0.1", 0) as listener, socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(listener.getsockname())
            other.listen()
            async with database.fresh_database() as url:
                end = await serve(config_of(url), listener, Begun().shift)
                assert end is WorkerEnd.FAULT

    asyncio.run(run())


def test_a_service_whose_workers_meet_what_only_a_person_can_mend_ends(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(
        tmp_path,
        node_urls=[NOWHERE],
        database_dir=tmp_path / "db",
        database_port=9,
        port=free_port(),
    )
    monkeypatch.setenv("DATABASE_URL", database.url("nowhere"))
    assert run_workers(tmp_path, "127.0.0.1", free_port(), 2) == 1
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(ConfigFault, match="is the port taken"):
            run_workers(tmp_path, "127.0.0.1", taken.getsockname()[1], 1)
