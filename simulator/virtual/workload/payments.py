"""Clients: each pays now and then, waits until it is final, and asks another node if it is not.

A client's transactions are in the order of its nonces, so at most one of each is under way. Some
payments redeem milk. The last client is kept for probes: one payment that must become final.
"""

from functools import partial
from random import Random
from typing import Final

from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, SigningKey, address_of
from ledger.types.transaction import Body, Intent, Transaction, sign
from ledger.types.transfer import Basket, Redemption, Transfer
from node.core.events import Submit
from simulator.virtual.oracle.chronicle import Chronicle
from simulator.virtual.process import Environment, Process
from simulator.virtual.world import Act

FEE_UNITS: Final = Units(100)
PAYMENT_UNITS_MAX: Final = 50_000
RETRY_MS: Final = 1_500
REDEEMS_OF_TEN: Final = 2
FOREVER: Final = 2**40


class Workload:
    """The clients of one simulation."""

    def __init__(self, env: Environment, chronicle: Chronicle, chance: Random) -> None:
        self.env = env
        self.chronicle = chronicle
        self.chance = chance
        self.refusals: dict[str, int] = {}
        self.begun_ms: dict[Hash, int] = {}
        """When each payment, by id, was first meant for a node."""
        self._nonces = [0 for _ in env.topology.clients]
        self._ticket = 0
        self._stopped = False

    def begin(self, clients: int, gap_ms: int) -> None:
        """Let so many clients pay, each about `gap_ms` after its last payment was final."""
        for client in range(clients):
            self._plan(client, gap_ms)

    def stop(self) -> None:
        """Let no client begin anything new, and none ask again."""
        self._stopped = True

    def probe(self, targets: list[Process]) -> Hash:
        """Hand one payment to each of these nodes, and again until it is final; give its id."""
        transaction = self._pay(len(self.env.topology.clients) - 1)
        self._press(transaction, targets)
        return transaction.id

    def _press(self, transaction: Transaction, targets: list[Process]) -> None:
        if transaction.id in self.chronicle.transactions:
            return
        for process in targets:
            self._submit(process, transaction)
        self.env.world.after(RETRY_MS, partial(self._press, transaction, targets))

    def _plan(self, client: int, gap_ms: int) -> None:
        wait_ms = 1 + int(self.chance.expovariate(1 / gap_ms))
        self.env.world.after(wait_ms, partial(self._begin_payment, client, gap_ms))

    def _begin_payment(self, client: int, gap_ms: int) -> None:
        if not self._stopped:
            self.follow(self._pay(client), partial(self._plan, client, gap_ms))

    def follow(self, transaction: Transaction, then: Act) -> None:
        """Submit to some node that runs, look again later, and go on when it is final."""
        if transaction.id in self.chronicle.transactions:
            then()
            return
        if self._stopped:
            return
        running = [process for process in self.env.processes if process.is_up]
        if running:
            self._submit(self.chance.choice(running), transaction)
        self.env.world.after(RETRY_MS, partial(self.follow, transaction, then))

    def _submit(self, process: Process, transaction: Transaction) -> None:
        self._ticket += 1
        process.feed(Submit(self._ticket, (encode(transaction),)))

    def _pay(self, client: int) -> Transaction:
        clients = self.env.topology.clients
        nonce = self._nonces[client]
        self._nonces[client] += 1
        to = address_of(self.chance.choice(clients).public)
        units = Units(self.chance.randrange(1, PAYMENT_UNITS_MAX))
        redeem: Basket = ()
        if self.chance.randrange(10) < REDEEMS_OF_TEN:
            (stock,) = self.env.topology.genesis.stock
            burned = Units(self.chance.randrange(1, units + 1))
            redeem = (Redemption(stock.lot_id(), burned),)
        body = Transfer(to, units, bytes(32), redeem)
        payment = signed(self.env.topology.chain_id, clients[client], nonce, body)
        self.begun_ms[payment.id] = self.env.world.now_ms
        return payment


class Purse:
    """One account that does one thing after another, each when the one before is final."""

    def __init__(self, workload: Workload, key: SigningKey) -> None:
        self.key = key
        self.address = address_of(key.public)
        self._workload = workload
        self._nonce = 0

    def spend(self, body: Body, then: Act, fee_units: Units = FEE_UNITS) -> None:
        """Have a body ordered, and go on when it is, whatever came of it."""
        chain_id = self._workload.env.topology.chain_id
        transaction = signed(chain_id, self.key, self._nonce, body, fee_units)
        self._nonce += 1
        self._workload.follow(transaction, then)


def signed(
    chain_id: Hash, key: SigningKey, nonce: int, body: Body, fee_units: Units = FEE_UNITS
) -> Transaction:
    """Sign a body as an account of one key."""
    return sign(Intent(chain_id, Policy.single(key.public), nonce, fee_units, FOREVER, body), key)
