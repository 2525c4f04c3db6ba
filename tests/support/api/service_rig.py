"""The payments service over a real database and a ledger in memory, with its HTTP in process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import text
from ulid import ULID

from api.chain.node_port import NodePort
from api.chain.node_watch import wall_ms
from api.config import ApiConfig
from api.http.app import create_app
from api.keys.model import key_digest, new_key
from api.service import Service, open_service
from api.tenants.config import MerchantConfig
from ledger.primitives.codec import encode
from ledger.primitives.keys import address_of, format_address
from ledger.types.transaction import Transaction
from tests.support.api.contract import keeps_its_word
from tests.support.api.postgres import TestDatabase
from tests.support.node.fake_node import MERCHANT, OTHER_MERCHANT, FakeNode, make_transfer
from tests.support.system.patience import PATIENCE_S


async def until(reached: Callable[[], bool]) -> None:
    """Wait for a state that has no event of its own; fail if it is never reached."""
    async with asyncio.timeout(PATIENCE_S):
        while not reached():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.002)


@dataclass
class Clocks:
    """The machine's two clocks, which a test can put ahead or back."""

    wall_ahead_ms: int = 0
    steady_ahead_s: float = 0.0
    steady_stands_s: float | None = None
    """A time at which the steady clock stands: then a slow machine makes nothing too old."""

    def wall_ms(self) -> int:
        """Read the clock that an operator or NTP may set."""
        return wall_ms() + self.wall_ahead_ms

    def steady_s(self) -> float:
        """Read the clock that only goes forward."""
        now_s = time.monotonic() if self.steady_stands_s is None else self.steady_stands_s
        return now_s + self.steady_ahead_s


@dataclass
class ServiceRig:
    """A service under test and the ways to it."""

    service: Service
    node: FakeNode
    http: httpx.AsyncClient
    key: str
    other_key: str

    def till(self, key: str = "", **headers: str) -> dict[str, str]:
        """Give the headers of a till's request."""
        return {"Authorization": f"Bearer {key or self.key}", **headers}

    async def order(self, key: str = "", quantity: int = 1, **body: object) -> dict[str, object]:
        """Open an order: of small packs of whole milk, unless `items` says otherwise."""
        answer = await self.http.post(
            "/api/v1/orders",
            json={"items": [{"productId": "whole-200", "quantity": quantity}], **body},
            headers=self.till(key, **{"Idempotency-Key": str(ULID())}),
        )
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def offer(self, order: dict[str, object]) -> dict[str, object]:
        """Read what a wallet reads."""
        answer = await self.http.get(f"/p/{order['id']}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def signed(self, order: dict[str, object], **changes: object) -> Transaction:
        """Sign a payment for an order."""
        return make_transfer(self.node, await self.offer(order), **changes)

    async def post(self, order: dict[str, object], transaction: Transaction) -> httpx.Response:
        """Post a signed payment."""
        body = {"transaction": encode(transaction).hex()}
        return await self.http.post(f"/api/v1/orders/{order['id']}/payment", json=body)

    async def chain_only(self, transaction: Transaction) -> None:
        """Hand a transaction straight to the node, past the service, and finalize it."""
        (said,) = await self.node.submit([encode(transaction)])
        assert said.code == "", said
        if not self.node.automatic:
            self.node.make_block()

    async def chain_only_while_silent(self, transaction: Transaction) -> None:
        """Finalize a transaction that the service can't see happen."""
        self.node.take(encode(transaction))
        self.node.make_block()

    async def paid(self, order: dict[str, object]) -> Transaction:
        """Pay an order and wait until it is settled."""
        transaction = await self.signed(order)
        answer = await self.post(order, transaction)
        assert answer.status_code == 202, answer.text
        await self.level()
        return transaction

    async def level(self) -> None:
        """Wait until the follower has settled every block that there is."""
        await until(lambda: self.service.tip.cursor.height >= self.node.height)

    async def validate(
        self, transaction: Transaction | str, amount: object = "1.80", key: str = "", **more: object
    ) -> httpx.Response:
        """Ask whether a transaction is good for an amount."""
        tx_hash = transaction if isinstance(transaction, str) else transaction.id.hex()
        headers = self.till(key)
        if wait := more.pop("wait", None):
            headers["Prefer"] = f"wait={wait}"
        body = {"txHash": tx_hash, "expectedAmount": amount, **more}
        return await self.http.post("/api/v1/payments/validate", json=body, headers=headers)

    async def scalar(self, statement: str) -> object:
        """Read one value from the database."""
        async with self.service.engine.connect() as connection:
            return await connection.scalar(text(statement))

    async def execute(self, statement: str) -> None:
        """Change the database behind the service's back."""
        async with self.service.engine.begin() as connection:
            await connection.execute(text(statement))


def rig_config(url: str, keys: tuple[str, str], **changes: object) -> ApiConfig:
    """Make a configuration with two merchants."""
    purses = (("Kiosk", MERCHANT), ("Other", OTHER_MERCHANT))
    merchants = tuple(
        MerchantConfig(
            name=name,
            payout_address=format_address(address_of(purse.public), "dbill"),
            key_digests=(key_digest(key).hex(),),
        )
        for (name, purse), key in zip(purses, keys, strict=True)
    )
    return ApiConfig.model_validate(
        {
            "node_urls": ("http://node.invalid",),
            "database_url": url,
            "public_host": "milk.example",
            "pool_size": 6,
            "merchants": merchants,
            **changes,
        }
    )


@asynccontextmanager
async def running_rig(
    database: TestDatabase,
    *,
    automatic: bool = True,
    ready: bool = True,
    ledger: FakeNode | None = None,
    way: NodePort | None = None,
    clocks: "Clocks | None" = None,
    **changes: object,
) -> AsyncIterator[ServiceRig]:
    """Run a service over a fresh database and a chain, to which `way` leads if it is given."""
    node, keys = ledger or FakeNode(automatic=automatic), (new_key(), new_key())
    async with database.fresh_database() as url:
        config = rig_config(url, keys, **changes)
        async with rig_over(config, node, way=way, clocks=clocks, keys=keys, ready=ready) as rig:
            yield rig


@asynccontextmanager
async def rig_over(
    config: ApiConfig,
    node: FakeNode,
    *,
    way: NodePort | None = None,
    clocks: "Clocks | None" = None,
    keys: tuple[str, str] = ("", ""),
    ready: bool = False,
) -> AsyncIterator[ServiceRig]:
    """Run a worker over a database that is there; several with one configuration share it."""
    clocks = clocks or Clocks()
    async with open_service(config, way or node, clocks.wall_ms, clocks.steady_s) as service:
        task = asyncio.create_task(service.run())
        transport = httpx.ASGITransport(create_app(service))
        try:
            async with httpx.AsyncClient(
                transport=transport,
                base_url="http://milk.example",
                trust_env=False,
                event_hooks={"response": [keeps_its_word]},
            ) as http:
                rig = ServiceRig(service, node, http, *keys)
                if ready:
                    await _until_ready(rig)
                yield rig
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _until_ready(rig: ServiceRig) -> None:
    await until(lambda: not rig.service.behind())
    async with asyncio.timeout(PATIENCE_S):
        while not await rig.scalar("SELECT count(*) FROM lots"):  # noqa: ASYNC110 - see `until`
            await asyncio.sleep(0.005)
