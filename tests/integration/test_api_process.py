"""The service as a process, keys by command, and the shopper over real HTTP."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
import uvicorn

from api.config import ApiConfig, load_config, prepare
from api.errors import ConfigFault
from api.http.app import create_app
from api.keys.model import KEY_PATTERN, new_key
from api.service import open_service
from ledger.genesis import Genesis, GenesisAccount
from ledger.primitives.amounts import Units
from simulator.dairy import shopper
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import rig_config, until
from tests.support.node.fake_node import FakeNode, small_genesis
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port

COMMAND = (sys.executable, "-c", "from api.cli import app; app()")
PURSE = Units(1_000_000_000)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


def prepared(home: Path, port: int) -> ApiConfig:
    identity = prepare(
        home,
        node_urls=["http://127.0.0.1:9"],
        database_dir=home / "database",
        database_port=9,
        port=port,
    )
    assert KEY_PATTERN.fullmatch(identity.api_key)
    return load_config(home)


def test_a_home_that_is_prepared_twice_keeps_its_keys_and_takes_new_ports(tmp_path: Path) -> None:
    arguments = {"node_urls": ["http://127.0.0.1:9"], "database_dir": tmp_path / "db"}
    first = prepare(tmp_path, database_port=9, port=8_001, **arguments)
    second = prepare(tmp_path, database_port=10, port=8_002, **arguments)
    assert (first.api_key, first.payout_text) == (second.api_key, second.payout_text)
    config = load_config(tmp_path)
    assert (config.port, config.pay_url("X")) == (8_002, "HTTP://127.0.0.1:8002/P/X")
    assert ":10/" in config.database_url
    assert config.merchants[0].payout_address == first.payout_text
    for name in ("config.toml", "payout.key", "api.key"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("= 1", "TOML"),
        ('node_urls = ["x"]', "database_url"),
        ('node_urls = ["x"]\ndatabase_url = "y"\nport = 0', "port"),
        ('node_urls = ["x"]\ndatabase_url = "y"\nprot = 1', "prot"),
        ('node_urls = ["http://a:x"]\ndatabase_url = "y"', "node_urls: 'http://a:x' is no address"),
    ],
)
def test_a_configuration_that_cannot_be_used_says_where(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigFault, match=message):
        load_config(tmp_path)
    done = subprocess.run(
        [*COMMAND, "run", "--home", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_process_serves_without_a_node_says_so_and_ends_cleanly(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    prepared(tmp_path, port)

    async def run() -> None:
        async with database.fresh_database() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            process = await asyncio.create_subprocess_exec(
                *COMMAND, "run", "--home", str(tmp_path), stderr=asyncio.subprocess.PIPE
            )
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False
            ) as http:
                await _answers(http)
                ready = await http.get("/readyz")
                assert (ready.status_code, ready.json()["status"]) == (503, "not_ready")
                assert ready.json()["parts"]["database"] == {"ready": True, "reason": None}
                assert ready.json()["parts"]["node"]["reason"] == "no node has answered yet"
                await _is_closed_to(http, await _issued_key(tmp_path))
                head = await http.head("/api/v1/stream")
                assert (head.status_code, head.content) == (200, b"")
                assert head.headers["content-type"].startswith("text/event-stream")
                async with http.stream("GET", "/api/v1/stream") as stream:
                    assert stream.status_code == 200
                    process.send_signal(signal.SIGTERM)
                    async with asyncio.timeout(3):
                        _, logged = await process.communicate()
            assert process.returncode == 0, logged[-2_000:]
            for line in logged.splitlines():
                assert json.loads(line)["service"] == {"name": "api"}

    asyncio.run(run())


async def _issued_key(home: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "keys", "new", "--home", str(home), "--merchant", "Tenusu Kiosk", "--json"),
        stdout=asyncio.subprocess.PIPE,
    )
    made = json.loads((await process.communicate())[0])
    assert process.returncode == 0
    return str(made["key"])


async def _is_closed_to(http: httpx.AsyncClient, key: str) -> None:
    """Check that without a node nothing is denied, and no order opened."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "one"}
    for path, body in (
        ("payments/validate", {"txHash": "ab" * 32, "expectedAmount": "1.80"}),
        ("orders", {"items": [{"productId": "whole-200"}]}),
    ):
        asked = await http.post(f"/api/v1/{path}", json=body, headers=headers)
        assert (asked.status_code, asked.json()["code"]) == (503, "LEDGER_UNAVAILABLE")
        assert int(asked.headers["retry-after"]) >= 1


async def _answers(http: httpx.AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with contextlib.suppress(httpx.TransportError):
                if (await http.get("/healthz")).status_code == 200:
                    return
            await asyncio.sleep(0.05)


def test_a_key_for_a_merchant_that_nobody_knows_is_refused(
    database: TestDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(tmp_path, 8_003)

    async def run() -> None:
        async with database.fresh_database() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            done = await asyncio.create_subprocess_exec(
                *(*COMMAND, "keys", "new", "--home", str(tmp_path), "--merchant", "Nobody"),
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await done.communicate()
            assert done.returncode == 1
            assert b"no merchant 'Nobody'" in said

    asyncio.run(run())


def genesis_for(home: Path, shoppers: int) -> Genesis:
    """Give each shopper a purse out of the customer's."""
    identity, base = shopper.prepare(home, shoppers=shoppers), small_genesis()
    rich = base.accounts[0]
    rest = Units(rich.units - shoppers * PURSE)
    purses = tuple(GenesisAccount(address, PURSE) for address in identity.addresses)
    genesis = msgspec.structs.replace(base, accounts=(GenesisAccount(rich.address, rest), *purses))
    genesis.check()
    return genesis


def test_shoppers_buy_over_http_recover_from_refusals_and_keep_their_books(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        node, key, port = FakeNode(genesis_for(tmp_path, 2)), new_key(), free_port()
        shopper.prepare(
            tmp_path, api_url=f"http://127.0.0.1:{port}", api_key=key, shoppers=2, interval_ms=20
        )
        async with (
            database.fresh_database() as url,
            open_service(rig_config(url, (key, new_key())), node) as service,
        ):
            server = uvicorn.Server(
                uvicorn.Config(create_app(service), port=port, lifespan="off", log_config=None)
            )
            behind = asyncio.create_task(service.run())
            serving = asyncio.create_task(server.serve())
            await until(lambda: server.started and bool(service.stock.lots))
            config = shopper.ShopperConfig(f"http://127.0.0.1:{port}", key, shoppers=2)
            config = msgspec.structs.replace(config, interval_ms=20)
            book = tmp_path / "shopper.json"
            for rounds in (4, 8):  # The second time it goes on from its own records.
                stop = asyncio.Event()
                shopping = asyncio.create_task(shopper.shop(tmp_path, config, stop))
                await until(lambda least=rounds: book.exists() and _count(book) >= least)
                stop.set()
                await shopping
            server.should_exit = True
            await serving
            behind.cancel()
            await asyncio.gather(behind, return_exceptions=True)
        summary = json.loads(book.read_text())
        assert summary["p50_ms"] <= summary["p95_ms"] <= summary["p99_ms"]
        assert summary["last"]["valid"] is True
        lines = (tmp_path / "purchases.jsonl").read_text().splitlines()
        assert len(lines) == summary["count"] + summary["failed"]
        assert {json.loads(line)["shopper"] for line in lines} == {0, 1}

    asyncio.run(run())


def _count(book: Path) -> int:
    return int(json.loads(book.read_text())["count"])


def test_a_shopper_without_a_service_keeps_trying_and_ends_when_told(tmp_path: Path) -> None:
    async def run() -> None:
        shopper.prepare(tmp_path)
        config = shopper.ShopperConfig("http://127.0.0.1:9", new_key(), interval_ms=1)
        stop = asyncio.Event()
        shopping = asyncio.create_task(shopper.shop(tmp_path, config, stop))
        await until(lambda: (tmp_path / "shopper.json").exists())
        stop.set()
        async with asyncio.timeout(PATIENCE_S):
            await shopping
        assert json.loads((tmp_path / "shopper.json").read_text())["count"] == 0

    asyncio.run(run())
    assert shopper.run(tmp_path) == 1, "its configuration names no service yet"
    assert shopper.run(tmp_path / "nowhere") == 1
