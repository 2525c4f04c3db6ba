"""A signer's loop in a world that a test makes: a chain in memory, a service that is scripted."""

import asyncio
import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from api.signing.process.config import (
    SignerConfig,
    SigningAccount,
    load_config,
    prepare,
    usual_limits,
)
from api.signing.process.facts import own_nodes
from api.signing.process.journal import JOURNAL_FILE, SigningJournal
from api.signing.process.metrics import SignerMetrics
from api.signing.process.running import AccountLoop, make_desk
from api.signing.process.service_client import ServiceClient
from api.signing.wire import SignRefund
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.keys import address_of, format_address
from node.home.key_file import read_key
from tests.support.api.pretend_service import PretendService
from tests.support.api.signing import LITRE, PAYOUT, ulid
from tests.support.node.account_chain import AccountChain
from tests.support.node.rpc_runs import poll

VALID_BLOCKS = 20


@dataclass
class World:
    """One merchant's signer, its chain and a service that is scripted."""

    home: object
    ledger: AccountChain
    service: PretendService
    urls: list

    @property
    def key(self):
        return read_key(self.home / "keys" / "operating.key")

    @property
    def account(self):
        return address_of(self.key.public)

    def paid(self, units, **more):
        """Let the customer pay the merchant; give the payment's hash."""
        tx_hash = self.ledger.pay(PAYOUT, units, **more)
        self.ledger.make_block()
        return tx_hash

    def ask(self, order):
        request_id = ulid()
        self.service.ask(order, request_id)
        return request_id

    def refund(self, tx_hash, units, height=None):
        height = self.ledger.height if height is None else height
        return self.ask(SignRefund(tx_hash.hex(), height, format_bill(Units(units))))

    def blocks(self, count):
        for _ in range(count):
            self.ledger.make_block()

    def take(self, *raws):
        """Let the chain take signed bytes, in a block."""
        for raw in raws:
            told = self.ledger.take(raw)
            assert told.code in ("", "already_known"), told
        self.ledger.make_block()

    def states(self):
        """Give what became of all that was signed."""
        journal = SigningJournal(self.home / JOURNAL_FILE)
        with contextlib.closing(journal):
            return [
                entry.state
                for request in self.service.requests
                if (entry := journal.find(self.account, request.id)) is not None
            ]

    @asynccontextmanager
    async def running(self):
        """Run the signer until the block ends, as a kill would end it."""
        config = load_config(self.home)
        chain_id = self.ledger.chain.chain_id
        with contextlib.closing(SigningJournal(self.home / JOURNAL_FILE)) as journal:
            async with (
                own_nodes(self.urls) as nodes,
                ServiceClient(config.api_url) as service,
            ):
                desk = make_desk(config, "operating", self.key, journal, chain_id)
                parts = (desk, chain_id, nodes, service, SignerMetrics())
                loop = AccountLoop("operating", self.key, *parts)
                task = asyncio.create_task(loop.run())
                try:
                    yield loop
                finally:
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task

    async def answered(self, *request_ids):
        await poll(lambda: set(request_ids) <= self.service.answered)


def configure(home, urls, api_url, **changes):
    config = SignerConfig(
        api_url=api_url,
        node_urls=tuple(urls),
        valid_blocks=VALID_BLOCKS,
        accounts=(
            SigningAccount(
                name="operating",
                payout_address=format_address(PAYOUT, "dbill"),
                day_units=500 * LITRE,
            ),
        ),
        limits=usual_limits("operating"),
    )
    prepare(home, (), replace(config, **changes))
