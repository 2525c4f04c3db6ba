"""The account of the made-up customer: a seed in the home of a development network.

Nonces are strict, so one payment at a time is signed and handed in: in one worker by a lock, among
workers by one of the database.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from api.chain.node_port import NodePort
from api.chain.tip import SettledTip
from api.db.statements import text
from api.errors import ConfigFault, Unavailable
from ledger.primitives.amounts import Units
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Policy, Seed, SigningKey
from ledger.types.transaction import Intent, Transaction, sign
from ledger.types.transfer import Transfer
from node.client.errors import ClientFault
from node.errors import BadKeyFile
from node.home.key_file import read_seed

CUSTOMER_FILE: Final = "customer.key"
TURN: Final = 0x62696C6C02
"""The lock of the database under which the account's next nonce is used."""


def read_customer(home: Path, *, livemode: bool) -> bytes | None:
    """Read the made-up customer's seed; None where there is none. Raise `ConfigFault`."""
    path = home / CUSTOMER_FILE
    if not path.exists():
        return None
    if livemode:
        raise ConfigFault(f"{path}: a network in earnest has no made-up customer: remove it")
    try:
        return bytes(read_seed(path))
    except BadKeyFile as fault:
        raise ConfigFault(str(fault)) from fault


def customer_of(
    engine: AsyncEngine, node: NodePort, tip: SettledTip, seed: bytes | None, ttl_blocks: int
) -> "CustomerWallet | None":
    """Make the customer's wallet where there is a customer."""
    return None if seed is None else CustomerWallet(engine, node, tip, seed, ttl_blocks)


class CustomerWallet:
    """Signs the customer's payments, in turn."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: NodePort,
        tip: SettledTip,
        seed: bytes,
        ttl_blocks: int,
    ) -> None:
        self._engine = engine
        self._node = node
        self._tip = tip
        self._key = SigningKey(Seed(seed))
        self._policy = Policy.single(self._key.public)
        self._ttl_blocks = ttl_blocks
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, fee_units: int) -> AsyncIterator[Callable[[Transfer], Transaction]]:
        """Lend what signs the next transfers; they are to be handed in before the turn ends."""
        async with self._turn, self._engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": TURN})
            try:
                nonce = (await self._node.account(self._policy.address())).pending_nonce
            except ClientFault as fault:
                raise Unavailable(f"no node answers: {fault}", retry_after_s=1) from fault

            def sign_next(transfer: Transfer) -> Transaction:
                nonlocal nonce
                cursor = self._tip.cursor
                until = cursor.height + self._ttl_blocks
                intent = Intent(
                    Hash(cursor.chain_id), self._policy, nonce, Units(fee_units), until, transfer
                )
                nonce += 1
                return sign(intent, self._key)

            yield sign_next
