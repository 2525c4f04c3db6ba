"""A real signer process beside a real node, and a service that a test scripts."""

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass

from api.signing.process.config import SignerConfig, SigningAccount, prepare
from api.signing.wire import SignRefund
from ledger.primitives.amounts import Units, format_bill
from ledger.primitives.codec import encode
from ledger.primitives.hashing import ZERO_HASH, Hash
from ledger.primitives.keys import Policy, address_of, format_address
from ledger.types.transaction import Intent, sign
from ledger.types.transfer import Transfer
from node.client.errors import ClientFault
from node.client.http import NodeClient
from node.client.views import TransactionState
from node.home.key_file import read_key
from tests.support.api.pretend_service import PretendService, serving_service
from tests.support.api.signing import LITRE, PAYOUT, key_of, ulid
from tests.support.node.homes import make_homes
from tests.support.system.patience import PATIENCE_S

COMMAND = [sys.executable, "-m", "node.cli.main"]
PAUSE_S = 0.02


def until(reached, what):
    """Wait for something that has no event of its own."""
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, what()
        time.sleep(PAUSE_S)


async def _final(node, txid):
    """Wait until a transaction is in a final block."""
    while (await node.transaction(txid, wait_ms=10_000)).state is not TransactionState.FINAL:
        pass


class RealChain:
    """One node in a process of its own, and its rich account."""

    def __init__(self, url, payer, chain_id):
        self.url, self.payer, self.chain_id = url, payer, chain_id
        self.process = None

    def ask(self, question):
        """Ask the node something: a function of its client."""

        async def asked():
            async with NodeClient(self.url) as client:
                return await question(client)

        return asyncio.run(asked())

    def account(self, address):
        return self.ask(lambda node: node.account(address))

    def pay(self, to, units, key=None, redeem=()):
        """Send a transfer and wait until it is final; give its id."""
        key = key or self.payer
        account = self.account(address_of(key.public))
        body = Transfer(to, Units(units), ZERO_HASH, redeem)
        made = sign(
            Intent(
                self.chain_id,
                Policy.single(key.public),
                account.pending_nonce,
                Units(10_000),
                2**40,
                body,
            ),
            key,
        )
        self.submit([encode(made)])
        return made.id

    def submit(self, raws):
        """Hand bytes in, and wait until the last is final, if the node took it."""

        async def submitted(node):
            told = await node.submit(raws)
            taken = [one.txid for one in told if one.code in ("", "already_known")]
            if taken:
                async with asyncio.timeout(PATIENCE_S):
                    await _final(node, taken[-1])
            return [one.code for one in told]

        return self.ask(submitted)

    def final(self, txid):
        """Tell whether a transaction is final and took effect."""
        shown = self.ask(lambda node: node.transaction(Hash(txid)))
        return shown.state is TransactionState.FINAL and not shown.code

    def stop(self):
        """Let the node hang."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        """Let the node work again."""
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def process(log, *words):
    """Run a command until the block ends, as kill -9 would end it."""
    with log.open("ab") as out:
        child = subprocess.Popen([*COMMAND, *words], stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGCONT)
        child.kill()
        child.wait()


@contextmanager
def real_chain(folder):
    """Run a chain of one validator."""
    homes = make_homes(folder, 1)
    [config] = homes.configs
    chain = RealChain(f"http://127.0.0.1:{config.rpc_port}", homes.payer, homes.genesis.chain_id)
    log = folder / "node.log"
    with process(log, "node", "run", "--home", str(config.home)) as chain.process:

        def answers():
            try:
                return chain.ask(lambda node: node.status()).height > 0
            except ClientFault:
                return False

        until(answers, log.read_text)
        yield chain


@dataclass
class SignerRig:
    """A signer's home, its chain, its service; `running` starts the process."""

    home: object
    chain: RealChain
    service: PretendService
    log: object

    @property
    def account(self):
        return self.service.account

    @contextmanager
    def running(self):
        """Run the signer; it is killed at the block's end."""
        with process(self.log, "signer", "run", "--home", str(self.home)) as child:
            yield child

    def ask(self, order, request_id=None):
        request_id = request_id or ulid()
        self.service.ask(order, request_id)
        return request_id

    def refund(self, tx_hash, units):
        return self.ask(SignRefund(tx_hash.hex(), 0, format_bill(Units(units))))

    def answered(self, *request_ids):
        """Wait until the service has an answer to requests."""
        wanted = set(request_ids)
        until(lambda: wanted <= self.service.answered, self.log.read_text)

    def reached(self, step, count=1):
        """Wait until a step was asked for so many times."""
        until(lambda: self.service.asked.count(step) >= count, self.log.read_text)


def make_rig(folder, chain, api_url, service, limits, funds=100 * LITRE, day=500 * LITRE):
    """Make a signer's home for a chain and a service, and send its account money."""
    home = folder / "signer"
    config = SignerConfig(
        api_url=api_url,
        node_urls=(chain.url,),
        accounts=(
            SigningAccount(
                name="operating",
                payout_address=format_address(PAYOUT, "dbill"),
                day_units=day,
            ),
        ),
        limits=limits,
    )
    prepare(home, (), config)
    service.account = address_of(read_key(home / "keys" / "operating.key").public)
    chain.pay(service.account, funds)
    return SignerRig(home, chain, service, folder / "signer.log")


@contextmanager
def signer_rig(folder, chain, limits, **more):
    """Lend a signer with a service of its own, on a chain that several may share."""
    service = PretendService(b"", chain.chain_id)
    with serving_service(service) as url:
        yield make_rig(folder, chain, url, service, limits, **more)


CUSTOMER_KEY = key_of("a customer")
