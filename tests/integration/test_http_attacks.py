"""Attacks on the real processes at `ulimit -n 1024`: memory comes back, clients notice nothing."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from ulid import ULID

from api.config import format_config
from api.keys.model import new_key
from api.limits.config import MEASURED
from api.vault.files import make_secrets
from ledger.primitives.codec import encode
from node.config import NodeConfig, save_config
from tests.support.api.postgres import TestDatabase, running_database
from tests.support.api.service_rig import rig_config
from tests.support.node.fake_node import FakeNode, make_transfer
from tests.support.node.fake_node_http import HttpNode
from tests.support.node.toy_backend import toy_node
from tests.support.system import http_attacks as attacks
from tests.support.system.http_attacks import MIB, Attack, settled
from tests.support.system.ports import free_port

PATIENCE_S = 60
GROWTH_BYTES_MAX = 24 * MIB
"""What a process may keep of an attack: warm caches and the allocator's arenas."""
PEAK_BYTES_MAX = 160 * MIB
LOG_CHARS_MAX = 512 * 1024
SERVED_IN_S = 5.0
"""An honest request under attack, on a machine that others use as well."""

Honest = Callable[[httpx.AsyncClient], Awaitable[None]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabase]:
    with running_database(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@asynccontextmanager
async def process(command: str, port: int, ready: str, log: Path) -> AsyncIterator[psutil.Process]:
    """Run a server's process until the block ends; wait for it to answer."""
    with log.open("wb") as stderr:
        running = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [sys.executable, "-c", command],
            stderr=stderr,
            preexec_fn=attacks.lower_file_limit,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    with contextlib.suppress(httpx.TransportError):
                        if (await http.get(ready)).status_code == 200:
                            break
                    await asyncio.sleep(0.1)
        yield psutil.Process(running.pid)
    finally:
        running.terminate()
        await asyncio.to_thread(running.wait)
    logged = await asyncio.to_thread(log.read_text)
    assert running.returncode == 0, logged[-2_000:]
    assert "Traceback" not in logged, logged[-4_000:]
    assert len(logged) < LOG_CHARS_MAX, "an attack fills the disk with logs"


async def besiege(
    victim: psutil.Process, port: int, honest: Honest, kinds: Sequence[tuple[str, Attack]]
) -> None:
    """Run one attack after the other, asking honestly all the while."""
    attacks.raise_own_file_limit()
    base = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=base, timeout=SERVED_IN_S, trust_env=False) as kept:
        for _ in range(20):
            await honest(kept)
        for name, attack in kinds:
            before, peak, asked = victim.memory_info().rss, 0, 0
            with contextlib.ExitStack() as stack:
                attacking = asyncio.create_task(asyncio.to_thread(attack, port, stack))
                until = time.monotonic() + 1.0
                while not attacking.done() or time.monotonic() < until:
                    await honest(kept)
                    async with httpx.AsyncClient(
                        base_url=base, timeout=SERVED_IN_S, trust_env=False
                    ) as fresh:
                        await honest(fresh)
                    asked += 2
                    peak = max(peak, victim.memory_info().rss)
                attacking.result()
            await honest(kept)
            after = await settled(victim, before + GROWTH_BYTES_MAX)
            assert after <= before + GROWTH_BYTES_MAX, name
            print(f"{name}: {before // MIB} {peak // MIB} {after // MIB} MiB, asked {asked}")
            assert peak < before + PEAK_BYTES_MAX, name


def test_no_attack_on_the_rpc_costs_memory_or_an_answer(tmp_path: Path) -> None:
    async def run() -> None:
        port = free_port()
        save_config(NodeConfig(home=tmp_path, rpc_port=port))
        command = f"from node.cli.node import app; app(['rpc', '--home', {str(tmp_path)!r}])"

        async def ask(http: httpx.AsyncClient) -> None:
            assert (await http.get("/v1/supply")).status_code == 200

        with toy_node(tmp_path / "rpc.sock"):
            async with process(command, port, "/v1/supply", tmp_path / "log") as victim:
                kinds = [
                    ("200 MB of headers", attacks.endless_head("/v1/status")),
                    ("1,100 silent", attacks.silence),
                    ("slow heads", attacks.slow_heads("/v1/status")),
                    ("half bodies", attacks.half_bodies("/v1/transactions", "application/json")),
                    ("unread pipeline", attacks.unread_pipeline("/metrics")),
                    ("streams", attacks.streams("/v1/blocks?from=1")),
                ]
                await besiege(victim, port, ask, kinds)

    asyncio.run(run())


def payer(key: str, ledger: FakeNode) -> Honest:
    """Give a way to open an order, pay it, and hear that it is paid."""
    till = {"Authorization": f"Bearer {key}"}

    async def pay(http: httpx.AsyncClient) -> None:
        headers = {**till, "Idempotency-Key": str(ULID())}
        body = {"items": [{"productId": "whole-200"}]}
        order = (await http.post("/api/v1/orders", json=body, headers=headers)).json()
        offer = (await http.get(f"/p/{order['id']}")).json()
        payment = make_transfer(ledger, offer)
        signed = {"transaction": encode(payment).hex()}
        sent = await http.post(f"/api/v1/orders/{order['id']}/payment", json=signed)
        assert sent.status_code == 202, sent.text
        told = await http.post(
            "/api/v1/payments/validate",
            json={"txHash": payment.id.hex(), "expectedAmount": "1.80"},
            headers={**till, "Prefer": "wait=5"},
        )
        assert told.json()["valid"] is True, told.text

    return pay


def test_no_attack_on_the_payments_service_costs_memory_or_a_payment(
    database: TestDatabase, tmp_path: Path
) -> None:
    async def run() -> None:
        port, key, ledger = free_port(), new_key(), FakeNode()
        node, pay = HttpNode(ledger), payer(key, ledger)

        async with node.serving(), database.fresh_database() as url:
            config = rig_config(
                url, (key, new_key()), port=port, node_urls=(node.url,), limits=MEASURED
            )
            (tmp_path / "config.toml").write_text(format_config(config))
            make_secrets(tmp_path)
            command = f"from api.cli import app; app(['run', '--home', {str(tmp_path)!r}])"
            async with process(command, port, "/readyz", tmp_path / "log") as victim:
                path = "/api/v1/orders/01ARZ3NDEKTSV4RRFFQ69G5FAV/payment"
                kinds = [
                    ("200 MB of headers", attacks.endless_head("/healthz")),
                    ("1,100 silent", attacks.silence),
                    ("slow heads", attacks.slow_heads("/healthz")),
                    ("half bodies", attacks.half_bodies(path, "application/json")),
                    ("unread pipeline", attacks.unread_pipeline("/metrics")),
                    ("streams", attacks.streams("/api/v1/stream")),
                ]
                await besiege(victim, port, pay, kinds)

    asyncio.run(run())
