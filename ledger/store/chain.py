"""What every store does: begin a chain, commit final blocks, and answer for them.

A store offers the committed state as a `Reader`. Where cells are kept is left to `MemoryStore`
and `DiskStore`, which offer four methods: get, scan, write, close.
"""

import itertools
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from ledger.errors.store import DamagedStore, EmptyStore, ForeignStore, PrunedBlock, WrongSchema
from ledger.genesis import Genesis, genesis_block, genesis_state
from ledger.primitives.codec import encode
from ledger.primitives.committee import Committee
from ledger.primitives.hashing import Hash
from ledger.primitives.keys import Address, PublicKey
from ledger.state.lattice import EMPTY_ACCUMULATOR, state_root
from ledger.state.names import epoch_name
from ledger.state.tables import COMMITTEES, LOTS, PRODUCTS
from ledger.store.answers import (
    HistoryEntry,
    LotEntry,
    ProductEntry,
    StoredBlock,
    TransactionRecord,
)
from ledger.store.pruning import FIRST_KEPT, keep_from, pruned_cells
from ledger.store.schema import (
    ACCUMULATOR_KEY,
    BLOCK,
    COLLECTED,
    COMMITTEE,
    FARM_LOTS,
    FINALIZATION,
    HEAD_KEY,
    HEADER,
    HEIGHT_BYTES,
    HEIGHT_OF,
    HISTORY,
    INDEX_BYTES,
    KEPT_KEY,
    LOT_ORDER,
    LOT_PRODUCTS,
    RECEIPTS,
    SCHEMA_VERSION,
    STATE,
    TIMES,
    TRANSACTION,
    VERSION_KEY,
    Cell,
    Finalized,
    Head,
    Location,
    block_cells,
    head_of,
    height_key,
    place,
    read_place,
)
from ledger.types.block import Block, Header, Receipt
from ledger.types.transaction import TxId

BLOCKS_REMEMBERED: Final = 8
"""How many blocks a store keeps decoded, for look-ups of single transactions."""

_UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""What msgspec raises; text that is no UTF-8 is not one of its own errors."""
_blocks = msgspec.msgpack.Decoder(Block)
_receipts = msgspec.msgpack.Decoder(tuple[Receipt, ...])
_headers = msgspec.msgpack.Decoder(Header)
_heads = msgspec.msgpack.Decoder(Head)


class ChainStore(ABC):
    """Final blocks and the state after them, over cells that a subclass keeps.

    `keep_blocks` bounds the bodies that are kept, counted from the head; 0 keeps all.
    """

    def __init__(self, path: str, keep_blocks: int = 0) -> None:
        self._path, self._keep_blocks = path, keep_blocks
        self._remembered: OrderedDict[int, StoredBlock] = OrderedDict()
        version = self._get(VERSION_KEY)
        if version is not None and version != bytes([SCHEMA_VERSION]):
            raise WrongSchema(path=path, got=version.hex(), expected=f"{SCHEMA_VERSION:02x}")
        self._accumulator = self._get(ACCUMULATOR_KEY) or EMPTY_ACCUMULATOR
        raw = self._get(HEAD_KEY)
        try:
            self._head = None if raw is None else _heads.decode(raw)
        except _UNDECODABLE as error:
            raise DamagedStore(path=path, why=f"its head does not decode: {error}") from error
        kept = self._get(KEPT_KEY)
        self._kept_from = FIRST_KEPT if kept is None else int.from_bytes(kept, "big")

    @abstractmethod
    def _get(self, key: bytes) -> bytes | None:
        """Read one cell."""

    @abstractmethod
    def _scan(
        self, start: bytes, stop: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """List cells with start <= key < stop, ascending, or descending if `reverse`."""

    @abstractmethod
    def _write(self, cells: Iterable[Cell]) -> None:
        """Write all cells or none, and return when they are durable."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what holds the cells. May be called twice."""

    # The committed state, as a Reader.

    def get(self, key: bytes) -> bytes | None:
        """Give the committed value of a state key, or None."""
        return self._get(STATE + key)

    @property
    def accumulator(self) -> bytes:
        """Give the lattice accumulator of the committed state."""
        return self._accumulator

    def state(self) -> Iterator[tuple[bytes, bytes]]:
        """Walk every record of the committed state, in order of key."""
        for key, value in self._scan(STATE, _after(STATE)):
            yield key[1:], value

    def records(self, prefix: bytes, after: bytes, limit: int) -> Iterator[tuple[bytes, bytes]]:
        """List records whose keys begin so, in order of key, beyond a rest of the key."""
        start = STATE + prefix + (after + b"\0" if after else b"")
        for key, value in itertools.islice(self._scan(start, _after(STATE + prefix)), limit):
            yield key[1:], value

    # Beginning and committing.

    def init_genesis(self, genesis: Genesis) -> Head:
        """Begin the chain, or find it begun; raise `ForeignStore` if this is another's store."""
        if self._head is not None:
            self.check_chain(genesis.chain_id)
            return self._head
        overlay, block = genesis_state(genesis), genesis_block(genesis)
        step = Finalized(block, encode(block), (), (), (), overlay.changes, overlay.accumulator)
        self._commit([step], [(VERSION_KEY, bytes([SCHEMA_VERSION]))])
        assert self._head is not None
        return self._head

    def check_chain(self, expected: Hash) -> None:
        """Raise unless the store holds this chain: `EmptyStore` or `ForeignStore`."""
        if self._head is None:
            raise EmptyStore(path=self._path)
        if self._head.chain_id != expected:
            raise ForeignStore(
                path=self._path, got=self._head.chain_id.hex(), expected=expected.hex()
            )

    def commit(self, steps: Sequence[Finalized]) -> Head:
        """Commit final blocks, each the child of the one before, in one durable batch.

        The last one's finalization becomes the head's.
        """
        self._check_steps(steps)
        return self._commit(steps, [])

    def _check_steps(self, steps: Sequence[Finalized]) -> None:
        """The caller has verified the blocks, so what is wrong here is a bug of ours."""
        assert self._head is not None, "a store begins with a genesis"
        assert steps, "a commit has at least one block"
        height, parent = self._head.height, self._head.hash
        for step in steps:
            header = step.block.header
            assert header.chain_id == self._head.chain_id, "a block of another chain"
            assert (header.height, header.parent_hash) == (height + 1, parent), "a gap"
            assert state_root(step.accumulator) == header.state_root, "another state than said"
            height, parent = header.height, header.hash()

    def _commit(self, steps: Sequence[Finalized], more: Sequence[Cell]) -> Head:
        head = head_of(steps[-1], steps[-1].finalization)
        cells: dict[bytes, bytes | None] = dict(more)
        for step in steps:
            cells.update(block_cells(step))
        cells[HEAD_KEY] = encode(head)
        cells[ACCUMULATOR_KEY] = steps[-1].accumulator
        kept_from = min(
            keep_from(self._kept_from, head.height, self._keep_blocks),
            max(self._kept_from, steps[0].block.header.height),  # Those of this commit stay.
        )
        cells.update(pruned_cells(self._kept_from, kept_from, self._get))
        self._write(cells.items())
        for height in range(self._kept_from, kept_from):
            self._remembered.pop(height, None)
        self._head, self._accumulator = head, steps[-1].accumulator
        self._kept_from = kept_from
        return head

    # Answers.

    def head(self) -> Head | None:
        """Give where the store stands; None before a genesis."""
        return self._head

    @property
    def kept_from(self) -> int:
        """Give the least height above 0 whose body is kept: 1 unless old ones were pruned."""
        return self._kept_from

    def block(self, height: int) -> StoredBlock | None:
        """Give a final block; None above the head, and below `kept_from`."""
        if height in self._remembered:
            self._remembered.move_to_end(height)
            return self._remembered[height]
        raw = self._get(height_key(BLOCK, height)) if height >= 0 else None
        receipts = self._get(height_key(RECEIPTS, height)) if height >= 0 else None
        if raw is None or receipts is None:
            return None
        finalization = self._get(height_key(FINALIZATION, height))
        try:
            found = StoredBlock(_blocks.decode(raw), raw, _receipts.decode(receipts), finalization)
        except _UNDECODABLE as error:
            why = f"block {height} does not decode: {error}"
            raise DamagedStore(path=self._path, why=why) from error
        self._remembered[height] = found
        if len(self._remembered) > BLOCKS_REMEMBERED:
            self._remembered.popitem(last=False)
        return found

    def header(self, height: int) -> Header | None:
        """Give a final block's header, pruned or not; None above the head."""
        raw = self._get(height_key(HEADER, height)) if height >= 0 else None
        if raw is not None:
            try:
                return _headers.decode(raw)
            except _UNDECODABLE as error:
                why = f"the header of block {height} does not decode: {error}"
                raise DamagedStore(path=self._path, why=why) from error
        found = self.block(height)
        return None if found is None else found.block.header

    def finalization(self, height: int) -> bytes | None:
        """Give the finalization of the block at a height, where it had its own."""
        return self._get(height_key(FINALIZATION, height))

    def committee(self, epoch: int) -> Committee | None:
        """Give the committee of any epoch up to the last that is settled; None above."""
        raw = self._get(COMMITTEE + epoch_name(epoch)) if epoch >= 0 else None
        return None if raw is None else COMMITTEES.decode(raw)

    def height_at(self, time_ms: int) -> int | None:
        """Find the last block whose time is not after this one; None before the genesis."""
        for _, height in self._scan(TIMES, height_key(TIMES, time_ms + 1), reverse=True):
            return int.from_bytes(height, "big")
        return None

    def height_of(self, block_hash: Hash) -> int | None:
        """Find the height of a final block, or None."""
        raw = self._get(HEIGHT_OF + block_hash)
        return None if raw is None else int.from_bytes(raw, "big")

    def place_of(self, txid: TxId | Hash) -> Location | None:
        """Find where a final transaction stands, or None; pruning does not forget it."""
        raw = self._get(TRANSACTION + txid)
        return None if raw is None else read_place(raw)

    def transaction(self, txid: TxId | Hash) -> TransactionRecord | None:
        """Find a final transaction, or None; raise `PrunedBlock` if its body is gone."""
        at = self.place_of(txid)
        if at is None:
            return None
        if 0 < at.height < self._kept_from:
            raise PrunedBlock(height=at.height, kept_from=self._kept_from)
        found = self.block(at.height)
        assert found is not None, "the index names a block that is not there"
        return TransactionRecord(
            at.height, at.index, found.block.transactions[at.index], found.receipts[at.index]
        )

    def history(
        self, address: Address, before: tuple[int, int] | None = None, limit: int = 100
    ) -> list[HistoryEntry]:
        """List transactions that touched an account, newest first, below a (height, index)."""
        return self._list_transactions(HISTORY + address, before, limit)

    def collections(
        self,
        meter: PublicKey,
        before: tuple[int, int] | None = None,
        limit: int = 100,
    ) -> list[HistoryEntry]:
        """List what brought a meter's milk into tanks, newest first, below a (height, index)."""
        return self._list_transactions(COLLECTED + meter, before, limit)

    def _list_transactions(
        self, prefix: bytes, before: tuple[int, int] | None, limit: int
    ) -> list[HistoryEntry]:
        stop = _after(prefix) if before is None else prefix + place(*before)
        entries: list[HistoryEntry] = []
        for key, txid in self._scan(prefix, stop, reverse=True):
            if len(entries) >= limit:
                break
            at = read_place(key[-HEIGHT_BYTES - INDEX_BYTES :])
            entries.append(HistoryEntry(at.height, at.index, TxId(Hash(txid))))
        return entries

    def lots(self, limit: int = 100, before: tuple[int, Hash] | None = None) -> list[LotEntry]:
        """List lots, those made last first, below a (height, id)."""
        return self._list_lots(LOT_ORDER, limit, before)

    def farm_lots(
        self, farm: Address, limit: int = 100, before: tuple[int, Hash] | None = None
    ) -> list[LotEntry]:
        """List the lots that a farm's milk is in, those made last first, below a (height, id)."""
        return self._list_lots(FARM_LOTS + farm, limit, before)

    def lot(self, lot_id: Hash) -> LotEntry | None:
        """Find a lot."""
        lot = LOTS.get(self, lot_id)
        return None if lot is None else LotEntry(lot_id, lot)

    def products(
        self, lot_id: Hash, limit: int = 100, before: tuple[int, Hash] | None = None
    ) -> list[ProductEntry]:
        """List the product lots of a lot, those packed last first, below a (height, id)."""
        lot, entries = LOTS.get(self, lot_id), []
        for product_id in self._ids_below(LOT_PRODUCTS + lot_id, limit, before):
            product = PRODUCTS.get(self, product_id)
            assert lot is not None, "packs are filled from a lot"
            assert product is not None, "the index names a product lot that is not there"
            entries.append(ProductEntry(product_id, product, lot))
        return entries

    def _list_lots(
        self, prefix: bytes, limit: int, before: tuple[int, Hash] | None
    ) -> list[LotEntry]:
        entries: list[LotEntry] = []
        for lot_id in self._ids_below(prefix, limit, before):
            lot = LOTS.get(self, lot_id)
            assert lot is not None, "the index names a lot that is not there"
            entries.append(LotEntry(lot_id, lot))
        return entries

    def _ids_below(
        self, prefix: bytes, limit: int, before: tuple[int, Hash] | None
    ) -> Iterator[Hash]:
        """Walk an index by height and id, newest first, below a (height, id)."""
        stop = _after(prefix) if before is None else height_key(prefix, before[0]) + before[1]
        for key, _ in itertools.islice(self._scan(prefix, stop, reverse=True), limit):
            yield Hash(key[len(prefix) + HEIGHT_BYTES :])

    # For an audit, which looks at every cell.

    def cell(self, key: bytes) -> bytes | None:
        """Give what stands under a key of the schema, raw."""
        return self._get(key)

    def cells(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Walk every cell whose key begins so, in order of key."""
        return self._scan(prefix, _after(prefix))


def _after(prefix: bytes) -> bytes:
    """Give the least key above all that begin with a prefix."""
    number = int.from_bytes(prefix, "big") + 1
    return number.to_bytes(len(prefix), "big")
