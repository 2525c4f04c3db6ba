"""A ledger with many payers, transfers between them, and blocks that a store takes."""

from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec

from ledger.genesis import genesis_block
from ledger.primitives.amounts import Units
from ledger.primitives.codec import encode
from ledger.primitives.hashing import HASH_BYTES
from ledger.primitives.keys import Address, SigningKey, address_of
from ledger.state import Overlay
from ledger.state.lattice import state_root
from ledger.state.records import Account
from ledger.state.tables import ACCOUNTS
from ledger.store import ChainStore, Finalized
from ledger.store.disk import DiskStore
from ledger.store.memory import MemoryStore
from ledger.transition import BlockOutcome, apply_block, transactions_root
from ledger.types.block import Block
from ledger.types.transaction import Transaction
from tests.support.ledger.dairy import Dairy, bill, key

FILL_CHUNK = 50_000


class Town:
    """Payers by number, each with a key, at one genesis."""

    def __init__(self, payers: int) -> None:
        names = [f"payer-{number}" for number in range(payers)]
        self.dairy = Dairy(balances=dict.fromkeys(names, bill(100)))
        self.keys: list[SigningKey] = [key(name) for name in names]
        self.addresses: list[Address] = [address_of(one.public) for one in self.keys]

    def transfers(self, nonce: int = 0, to: Sequence[Address] = ()) -> list[Transaction]:
        """One transfer of every payer, to those named or else to the next."""
        to = to or self.addresses[1:] + self.addresses[:1]
        return [
            self.dairy.transaction(self.dairy.pay(address, 1_000), signer, nonce)
            for signer, address in zip(self.keys, to, strict=True)
        ]

    def on_disk(self, path: Path) -> DiskStore:
        store = DiskStore(path)
        store.init_genesis(self.dairy.genesis)
        return store

    def in_memory(self) -> MemoryStore:
        store = MemoryStore()
        store.init_genesis(self.dairy.genesis)
        return store

    def execute(
        self, store: ChainStore, transactions: Sequence[Transaction]
    ) -> tuple[Overlay, BlockOutcome]:
        """Run the next block on a store, and leave the store as it is."""
        head = store.head()
        assert head is not None
        overlay = Overlay(store)
        context = self.dairy.context(head.height + 1, head.time_ms + 1_000)
        return overlay, apply_block(overlay, context, transactions)

    def step(
        self,
        store: ChainStore,
        transactions: Sequence[Transaction],
        overlay: Overlay,
        outcome: BlockOutcome,
    ) -> Finalized:
        """Make what a store commits."""
        raws = tuple(encode(transaction) for transaction in transactions)
        header = self._header(
            store,
            transactions_root=transactions_root(raws),
            receipts_root=outcome.receipts_root,
            state_root=outcome.state_root,
        )
        block = Block(header, raws)
        return Finalized(
            block,
            encode(block),
            tuple(transactions),
            outcome.receipts,
            outcome.parties,
            overlay.changes,
            overlay.accumulator,
            b"finalization",
        )

    def _header(self, store: ChainStore, **roots: bytes):
        head = store.head()
        assert head is not None
        return msgspec.structs.replace(
            genesis_block(self.dairy.genesis).header,
            height=head.height + 1,
            view=head.height + 1,
            parent_hash=head.hash,
            time_ms=head.time_ms + 1_000,
            **roots,
        )

    def fill(self, store: ChainStore, count: int) -> None:
        """Add so many strangers' accounts, in blocks of their own, in order of their keys.

        In order, LevelDB only appends: ten million take a minute or two instead of an hour of
        compaction. The accumulator stays as it was: here it is only carried along, and nobody
        audits this.
        """
        value = encode(Account(Units(1_000_000), 0))
        for start in range(0, count, FILL_CHUNK):
            numbers = range(start, min(start + FILL_CHUNK, count))
            changes = {ACCOUNTS.prefix + stranger(number, count): value for number in numbers}
            header = self._header(store, state_root=state_root(store.accumulator))
            block = Block(header, ())
            store.commit([Finalized(block, encode(block), (), (), (), changes, store.accumulator)])


def stranger(number: int, count: int) -> Address:
    """Give the address of one of `count` strangers: in order, and spread over all addresses.

    All but the first four bytes are a hash, so that a table of them compresses as badly as one of
    real addresses.
    """
    place = (number << 32) // count
    rest = blake2b(number.to_bytes(8, "big"), digest_size=HASH_BYTES - 4).digest()
    return Address(place.to_bytes(4, "big") + rest)
