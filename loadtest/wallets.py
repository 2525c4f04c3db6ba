"""Wallets for load: keys from the network's load seed, transfers signed ahead of their time.

The derivation is written down at the head of `simulator/testnet/load.py`. A wallet counts its own
nonces and never asks: whoever drives it sends what it signs, in order, or asks `reset`.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Final

from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, Policy, Seed, SigningKey
from ledger.types.transaction import Body, Intent, Transaction, TxId, sign
from ledger.types.transfer import Transfer

FEE_UNITS: Final = Units(100)
"""The least fee of a development network."""
AMOUNT_UNITS: Final = Units(1_000)
FOREVER: Final = 2**53
NO_REFERENCE: Final = bytes(32)


def derive(seed: bytes, kind: bytes, number: int) -> SigningKey:
    """Give a key of the network's load seed."""
    made = blake2b(number.to_bytes(8, "big"), digest_size=32, key=seed, person=kind)
    return SigningKey(Seed(made.digest()))


def read_seed(network: Path) -> bytes:
    """Read the load seed of a network that was made with `--load-accounts`."""
    return bytes.fromhex((network / "keys" / "load.key").read_text("ascii").strip())


class LoadWallet:
    """One account with money."""

    __slots__ = ("_chain", "_key", "_policy", "address", "nonce")

    def __init__(self, key: SigningKey, chain: Hash, nonce: int = 0) -> None:
        self._key, self._chain = key, chain
        self._policy = Policy.single(key.public)
        self.address = self._policy.address()
        self.nonce = nonce

    def sign(self, body: Body) -> Transaction:
        """Sign the account's next transaction."""
        intent = Intent(self._chain, self._policy, self.nonce, FEE_UNITS, FOREVER, body)
        self.nonce += 1
        return sign(intent, self._key)

    def transfer(self, to: Address, units: Units = AMOUNT_UNITS) -> tuple[TxId, bytes]:
        """Sign a plain transfer; give its id and its bytes."""
        transaction = self.sign(Transfer(to, units, NO_REFERENCE, ()))
        return transaction.id, encode(transaction)


def open_wallets(seed: bytes, chain: Hash, count: int, start: int = 0) -> list[LoadWallet]:
    """Open a range of the network's load accounts; their nonces begin at zero."""
    return [
        LoadWallet(derive(seed, b"load-account", number), chain)
        for number in range(start, start + count)
    ]
