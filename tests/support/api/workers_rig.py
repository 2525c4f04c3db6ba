"""The service as it is run: a parent and workers as processes, a real database, a ledger in memory.

What a test plays with is outside of them: the node's RPC, signals, the wallet's and the till's
connections. Which worker serves a connection is read from the kernel.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from sqlalchemy import text
from ulid import ULID

from api.config import format_config, load_config, prepare
from api.db.session import open_engine
from api.limits.config import MEASURED
from ledger.primitives.codec import encode
from ledger.types.transaction import Transaction
from tests.support.api.postgres import TestDatabase
from tests.support.node.fake_node import FakeNode, make_transfer
from tests.support.node.fake_node_http import HttpNode
from tests.support.system.patience import PATIENCE_S
from tests.support.system.ports import free_port

COMMAND = (sys.executable, "-c", "from api.cli import app; app()")
BEAT_S = 3.0
TRIES_MAX = 400


@dataclass
class Till:
    """One connection that is kept, and so one worker."""

    http: httpx.AsyncClient
    key: str
    pid: int = 0

    async def order(self, key: str = "", **fields: object) -> httpx.Response:
        """Ask for an order of a small pack."""
        headers = {**self.headers, "Idempotency-Key": key or str(ULID())}
        body = {"items": [{"productId": "whole-200"}], **fields}
        return await self.http.post("/api/v1/orders", json=body, headers=headers)

    async def validate(self, tx_hash: str, wait_s: int = 0) -> httpx.Response:
        """Ask whether a payment is good for a small pack."""
        headers = {**self.headers, **({"Prefer": f"wait={wait_s}"} if wait_s else {})}
        body = {"txHash": tx_hash, "expectedAmount": "1.80"}
        return await self.http.post("/api/v1/payments/validate", json=body, headers=headers)

    async def read(self, order: dict[str, object]) -> dict[str, object]:
        """Read an order of one's own."""
        answer = await self.http.get(f"/api/v1/orders/{order['id']}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def offer(self, order: dict[str, object]) -> dict[str, object]:
        """Read what a wallet is offered."""
        answer = await self.http.get(f"/p/{order['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def pay(self, order: dict[str, object], payment: Transaction) -> httpx.Response:
        """Hand in what a wallet signed."""
        body = {"transaction": encode(payment).hex()}
        return await self.http.post(f"/api/v1/orders/{order['id']}/payment", json=body)

    @property
    def headers(self) -> dict[str, str]:
        """Give what names the till."""
        return {"Authorization": f"Bearer {self.key}"}


@dataclass
class WorkersRig:
    """A running service and what is around it."""

    home: Path
    port: int
    key: str
    ledger: FakeNode
    node: HttpNode
    database_url: str
    process: asyncio.subprocess.Process
    logged: list[dict[str, object]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Give where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def pids(self) -> list[int]:
        """Give the workers' processes."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return sorted(child.pid for child in psutil.Process(self.process.pid).children())
        return []

    def last(self) -> list[object]:
        """Give what was logged last, in short."""
        return [(line["message"], line.get("event")) for line in self.logged[-12:]]

    def serving(self) -> int:
        """Count the workers that have ever served."""
        return sum(line["message"] == "a worker serves" for line in self.logged)

    def said(self, message: str) -> bool:
        """Tell whether the log has a line."""
        return any(line["message"] == message for line in self.logged)

    @asynccontextmanager
    async def till(self) -> AsyncIterator[Till]:
        """Open a connection to whichever worker takes it."""
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with httpx.AsyncClient(
            base_url=self.url, trust_env=False, verify=False, timeout=PATIENCE_S, limits=one
        ) as http:
            answer = await http.get("/healthz")
            stream = answer.extensions["network_stream"]
            yield Till(http, self.key, self._pid_behind(stream.get_extra_info("client_addr")[1]))

    def _pid_behind(self, port: int) -> int:
        for pid in self.pids():
            with contextlib.suppress(psutil.Error):
                connections = psutil.Process(pid).net_connections("tcp")
                if any(c.raddr and c.raddr.port == port for c in connections):
                    return pid
        return 0

    @asynccontextmanager
    async def two_tills(self) -> AsyncIterator[tuple[Till, Till]]:
        """Open connections until two workers have one each."""
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(self.till())
            assert first.pid
            for _ in range(TRIES_MAX):
                async with contextlib.AsyncExitStack() as trial:
                    second = await trial.enter_async_context(self.till())
                    if second.pid and second.pid != first.pid:
                        stack.push_async_exit(trial.pop_all())
                        yield first, second
                        return
            raise AssertionError("one worker takes all connections")

    async def scalar(self, statement: str) -> object:
        """Read one value from the database."""
        engine = open_engine(self.database_url, 1)
        try:
            async with engine.connect() as connection:
                return await connection.scalar(text(statement))
        finally:
            await engine.dispose()

    async def leader(self) -> int:
        """Give the process that holds the follower's lease; 0 if nobody does."""
        owner = await self.scalar("SELECT owner FROM leases WHERE name = 'follower'")
        return int(str(owner).split("/")[1]) if owner else 0

    async def until(self, reached: Callable[[], object], what: str) -> None:
        """Wait for a state of another process."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not reached():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{what} never came: {self.last()}") from None

    async def until_so(self, ask: Callable[[], Awaitable[object]], what: str) -> None:
        """Wait for a state that has to be asked for."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await ask():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{what} never came: {self.last()}") from None

    async def until_ready(self) -> None:
        """Wait until an order can be opened."""
        await self.until_so(self._opens, "an order")

    async def _opens(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            async with self.till() as till:
                return (await till.order()).status_code == 201
        return False

    def sign(self, offer: dict[str, object], **changes: object) -> Transaction:
        """Sign a payment of what is offered."""
        return make_transfer(self.ledger, offer, **changes)

    async def beat(self) -> None:
        """Let the chain live: an idle network finalizes empty blocks."""
        while True:
            await asyncio.sleep(BEAT_S)
            if not self.ledger.pending():
                self.ledger.make_block()

    async def note_log(self) -> None:
        """Take in what the processes log, until they are gone."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            with contextlib.suppress(ValueError):
                self.logged.append(json.loads(line))

    async def stop(self) -> int:
        """End it as an operator does; give the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


USUAL = {"pool_size": 6, "limits": MEASURED}
"""What every configuration says here: wallets pay without rest."""


@asynccontextmanager
async def running_workers(
    database: TestDatabase,
    home: Path,
    *,
    workers: int = 2,
    automatic: bool = True,
    **config: object,
) -> AsyncIterator[WorkersRig]:
    """Run a service with several workers over a fresh database, until it is ready."""
    ledger = FakeNode(automatic=automatic)
    node, port = HttpNode(ledger), free_port()
    identity = prepare(
        home,
        node_urls=[node.url],
        database_dir=home / "database",
        database_port=9,
        port=port,
    )
    (home / "config.toml").write_text(
        format_config(load_config(home).model_copy(update={**USUAL, **config}))
    )
    async with node.serving(), database.fresh_database() as url:
        process = await asyncio.create_subprocess_exec(
            *(*COMMAND, "run", "--home", str(home), "--workers", str(workers)),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "DATABASE_URL": url},
        )
        rig = WorkersRig(home, port, identity.api_key, ledger, node, url, process)
        noting, beating = asyncio.create_task(rig.note_log()), asyncio.create_task(rig.beat())
        try:
            await rig.until(lambda: rig.serving() >= workers, "every worker's start")
            await rig.until_ready()
            yield rig
        finally:
            for pid in (*rig.pids(), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await process.wait()
            beating.cancel()
            await asyncio.gather(noting, beating, return_exceptions=True)
