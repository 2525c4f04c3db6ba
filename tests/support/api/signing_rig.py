"""The payments service with a real signer beside it: both speak HTTP, the ledger is in memory."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from msgspec.structs import replace
from ulid import ULID

from api.http.app import create_app
from api.keys.model import key_digest, new_key
from api.signing.process.config import SignerConfig, SigningAccount, prepare, usual_limits
from api.signing.process.facts import own_nodes
from api.signing.process.journal import JOURNAL_FILE, SigningJournal
from api.signing.process.metrics import SignerMetrics
from api.signing.process.running import AccountLoop, make_desk
from api.signing.process.service_client import ServiceClient
from api.tenants.config import MerchantConfig, UnionConfig
from ledger.primitives.keys import address_of, format_address
from node.home.key_file import read_key
from tests.support.api.people_rig import people_of
from tests.support.api.postgres import TestDatabase
from tests.support.api.service_rig import ServiceRig, running_rig
from tests.support.api.signing import LITRE
from tests.support.node.account_chain import AccountChain
from tests.support.node.fake_node import CUSTOMER, MERCHANT, OTHER_MERCHANT
from tests.support.node.fake_node_http import HttpNode
from tests.support.system.patience import PATIENCE_S

FUNDS = 100 * LITRE


@dataclass
class SigningRig:
    """A service, its signer's home, and the ways between them."""

    api: ServiceRig
    home: Path
    ledger: AccountChain
    url: str
    names: tuple[str, ...] = ("operating",)
    loop: AccountLoop | None = None

    async def people(self):
        """Find the union and the merchants, to let people in."""
        return await people_of(self.api)

    async def buy(self, count=1, key=CUSTOMER, **body):
        """Let a customer buy packs; give the last order."""
        order = {}
        for _ in range(count):
            order = await self.api.order(**body)
            transaction = await self.api.signed(order, key=key)
            answer = await self.api.post(order, transaction)
            assert answer.status_code == 202, answer.text
            await self.api.level()
        return order

    async def refunded(self, order):
        """Give an order's money back, and wait until it is there."""
        asked = (await self.refund(orderId=order["id"])).json()
        return await self.becomes(f"/refunds/{asked['id']}", "succeeded")

    @property
    def account(self):
        return self.account_of("operating")

    def account_of(self, name):
        return address_of(self.key_of(name).public)

    def key_of(self, name):
        return read_key(self.home / "keys" / f"{name}.key")

    @asynccontextmanager
    async def signing(self, **changes):
        """Run the signer until the block ends."""
        config = replace(signer_config(self.url, self.names), **changes)
        prepare(self.home, (), config)
        config = replace(config, home=self.home)
        transport = httpx.ASGITransport(create_app(self.api.service))
        chain_id = self.ledger.chain.chain_id
        with contextlib.closing(SigningJournal(self.home / JOURNAL_FILE)) as journal:
            async with (
                own_nodes((self.url,)) as nodes,
                ServiceClient("http://milk.example", transport) as service,
            ):
                loops = []
                for name in self.names:
                    key = self.key_of(name)
                    desk = make_desk(config, name, key, journal, chain_id)
                    parts = (desk, chain_id, nodes, service, SignerMetrics())
                    loops.append(AccountLoop(name, key, *parts))
                self.loop = loops[0]
                tasks = [asyncio.create_task(loop.run()) for loop in loops]
                try:
                    await self._heard()
                    yield self.loop
                finally:
                    for task in tasks:
                        task.cancel()
                        with contextlib.suppress(asyncio.CancelledError):
                            await task

    async def _heard(self):
        """Wait until the service has heard of the signer."""
        async with asyncio.timeout(PATIENCE_S):
            heard = "SELECT count(*) FROM signers"
            wanted = len(self.names)
            while await self.api.scalar(heard) < wanted:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.02)

    async def post(self, path, body, key="", **headers):
        """Post as the merchant's program."""
        told = {"Idempotency-Key": str(ULID()), **headers}
        return await self.api.http.post(
            f"/api/v1{path}", json=body, headers=self.api.till(key, **told)
        )

    async def get(self, path, key=""):
        return await self.api.http.get(f"/api/v1{path}", headers=self.api.till(key))

    async def refund(self, key="", **body):
        return await self.post("/refunds", {"reason": "spoiled", **body}, key)

    async def becomes(self, path, state, field="state"):
        """Wait until a thing is in a state; give it."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                shown = (await self.get(path)).json()
                if shown.get(field) == state:
                    return shown
                await asyncio.sleep(0.02)


def signer_config(url: str, names: tuple[str, ...] = ("operating",)) -> SignerConfig:
    """Configure a signer of the first merchant of `service_rig`, and of its union."""
    payout = format_address(address_of(MERCHANT.public), "dbill")
    return SignerConfig(
        api_url="http://milk.example",
        node_urls=(url,),
        valid_blocks=20,
        accounts=tuple(
            SigningAccount(name=name, payout_address=payout, day_units=500 * LITRE)
            for name in names
        ),
        limits=tuple(limit for name in names for limit in usual_limits(name)),
    )


@asynccontextmanager
async def running_signing_rig(
    database: TestDatabase, folder: Path, *, float_units: int | None = None, **changes
):
    """Run a service whose first merchant has an operating account with money in it.

    Its union has a float as well if it is said what that holds.
    """
    home, ledger = folder / "signer", AccountChain(automatic=True)
    names = ("operating",) if float_units is None else ("operating", "float")
    prepare(home, (), signer_config("http://127.0.0.1:1", names))
    key = read_key(home / "keys" / "operating.key")
    if float_units is not None:
        till = read_key(home / "keys" / "float.key")
        text = format_address(address_of(till.public), "dbill")
        changes["unions"] = (UnionConfig(name="Dairy Union", float_address=text),)
        if float_units:
            ledger.fund(till, float_units)
    keys = (new_key(), new_key())
    merchants = tuple(
        MerchantConfig(
            name=name,
            payout_address=format_address(address_of(purse.public), "dbill"),
            operating_address=operating,
            key_digests=(key_digest(api_key).hex(),),
        )
        for name, purse, operating, api_key in (
            ("Kiosk", MERCHANT, format_address(address_of(key.public), "dbill"), keys[0]),
            ("Other", OTHER_MERCHANT, "", keys[1]),
        )
    )
    node = HttpNode(ledger)
    async with (
        node.serving(),
        running_rig(database, ledger=ledger, **{"merchants": merchants, **changes}) as api,
    ):
        api.key, api.other_key = keys
        ledger.fund(key, FUNDS)
        yield SigningRig(api, home, ledger, node.url, names)
