"""The key map: which cell holds what. One prefix byte, then fixed-length parts, big-endian.

| key                                        | value                                       |
|--------------------------------------------|---------------------------------------------|
| `H`                                        | the head (`Head`)                           |
| `A`                                        | the lattice accumulator of the state, 2048 B |
| `V`                                        | the schema's number, one byte               |
| `s` state key                              | a record of the state (`state.tables`)      |
| `b` height(8)                              | the block, raw                              |
| `r` height(8)                              | its receipts                                |
| `f` height(8)                              | its finalization, raw, where it had its own |
| `n` block hash(32)                         | its height(8)                               |
| `t` transaction id(32)                     | height(8) and index(4) in the block         |
| `h` address(32) height(8) index(4)         | the id of a transaction that names it, or   |
|                                            | changed a record of its (`state.parties`)   |
| `w` tank(32) farm(32) height(8) index(4)   | the id of a collection of the farm's milk   |
| `o` height(8) lot id(32)                   | nothing: lots by the height they were made  |
| `g` farm(32) height(8) lot id(32)          | nothing: lots by the farms of their milk    |
| `p` lot id(32) height(8) product id(32)    | nothing: product lots by lot and height     |
| `m` time in ms(8)                          | the height(8) of the block of that time     |
| `K`                                        | the lowest height above 0 kept whole(8)     |
| `e` height(8)                              | the header of a block below that            |
| `c` epoch(8)                               | its committee, also when the state has      |
|                                            | forgotten it                                |

Invariant: one synced batch holds all that a commit writes, the head included, so after a crash
the store is at one block or the next, never between. What is under `s` hashes to the head's
state root. Pruning takes `b` and `r` of old blocks and puts `e` there; finalizations and
indexes stay, so a pruned store still knows what was final, when and where. Block 0 stays whole.
A committee is written with the boundary block that chose it, and never taken away: finality
proofs lead over epochs of any age.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from ledger.primitives.codec import encode
from ledger.primitives.hashing import Hash, WireHash
from ledger.primitives.keys import Address
from ledger.rules import named_accounts
from ledger.state.dairy import ProductLot
from ledger.state.records import Lot
from ledger.state.tables import COMMITTEES, LOTS, PRODUCTS, PROVEN
from ledger.types.block import Block, Receipt
from ledger.types.transaction import Transaction
from ledger.types.window import CollectMilk

SCHEMA_VERSION: Final = 10

HEAD_KEY: Final = b"H"
ACCUMULATOR_KEY: Final = b"A"
VERSION_KEY: Final = b"V"
STATE: Final = b"s"
BLOCK: Final = b"b"
RECEIPTS: Final = b"r"
FINALIZATION: Final = b"f"
HEIGHT_OF: Final = b"n"
TRANSACTION: Final = b"t"
HISTORY: Final = b"h"
COLLECTED: Final = b"w"
LOT_ORDER: Final = b"o"
FARM_LOTS: Final = b"g"
LOT_PRODUCTS: Final = b"p"
TIMES: Final = b"m"
KEPT_KEY: Final = b"K"
HEADER: Final = b"e"
COMMITTEE: Final = b"c"

HEIGHT_BYTES: Final = 8
INDEX_BYTES: Final = 4

Cell = tuple[bytes, bytes | None]
"""A key and its new value; None removes it."""


class Head(Struct, frozen=True, array_like=True):
    """Where the store stands: the last block that is final, and what made it so."""

    chain_id: WireHash
    height: int
    hash: WireHash
    view: int
    epoch: int
    time_ms: int
    state_root: WireHash
    finalization: bytes


class Location(Struct, frozen=True, array_like=True):
    """Where a transaction stands."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class Finalized:
    """A block that is final, and all that executing it gave: one step of a commit.

    `transactions` are the block's, decoded, in order; `parties` those whose records each of them
    changed; `changes` and `accumulator` those of the overlay that it ran on; `finalization` is
    empty where a later block's finalization serves.
    """

    block: Block
    raw: bytes
    transactions: Sequence[Transaction]
    receipts: Sequence[Receipt]
    parties: Sequence[Sequence[Address]]
    changes: Mapping[bytes, bytes | None]
    accumulator: bytes
    finalization: bytes = b""


def height_key(prefix: bytes, height: int) -> bytes:
    """Make the key of something kept by height."""
    return prefix + height.to_bytes(HEIGHT_BYTES, "big")


def place(height: int, index: int) -> bytes:
    """Write a transaction's place, so that places sort as they came."""
    return height.to_bytes(HEIGHT_BYTES, "big") + index.to_bytes(INDEX_BYTES, "big")


def read_place(raw: bytes) -> Location:
    """Read a place back."""
    height, index = raw[:HEIGHT_BYTES], raw[HEIGHT_BYTES:]
    return Location(int.from_bytes(height, "big"), int.from_bytes(index, "big"))


def named_addresses(transaction: Transaction) -> list[Address]:
    """List the accounts that a transaction names, whatever becomes of it: its sender first."""
    return [transaction.sender, *named_accounts(transaction.intent.body)]


def history_cells(
    transaction: Transaction, parties: Sequence[Address], where: bytes, txid: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """List the cells that put a transaction into histories, each account's once."""
    for address in dict.fromkeys([*named_addresses(transaction), *parties]):
        yield HISTORY + address + where, txid


def block_cells(step: Finalized) -> Iterator[Cell]:
    """List every cell that a final block writes, but the head's."""
    header = step.block.header
    height = header.height
    yield height_key(BLOCK, height), step.raw
    yield height_key(RECEIPTS, height), encode(step.receipts)
    if step.finalization:
        yield height_key(FINALIZATION, height), step.finalization
    yield HEIGHT_OF + header.hash(), height.to_bytes(HEIGHT_BYTES, "big")
    yield height_key(TIMES, header.time_ms), height.to_bytes(HEIGHT_BYTES, "big")
    each = zip(step.transactions, step.receipts, step.parties, strict=True)
    for index, (transaction, receipt, parties) in enumerate(each):
        where = place(height, index)
        yield TRANSACTION + receipt.txid, where
        yield from history_cells(transaction, parties, where, receipt.txid)
        body = transaction.intent.body
        if isinstance(body, CollectMilk) and not receipt.code:
            yield COLLECTED + body.meter + where, receipt.txid
    for key, value in step.changes.items():
        yield STATE + key, value
        if key[:1] == COMMITTEES.prefix and value is not None:
            yield COMMITTEE + key[1:], value
        if key[:1] == LOTS.prefix and value is not None:
            yield from lot_cells(Hash(key[1:]), LOTS.decode(value), step.changes.get)
        if key[:1] == PRODUCTS.prefix and value is not None:
            yield product_cell(Hash(key[1:]), PRODUCTS.decode(value)), b""


def lot_cells(
    lot_id: Hash, lot: Lot, read: Callable[[bytes], bytes | None]
) -> Iterator[tuple[bytes, bytes]]:
    """List the cells that index a lot: by height, and by each farm whose milk it is."""
    yield height_key(LOT_ORDER, lot.height) + lot_id, b""
    proven = read(PROVEN.prefix + lot_id)
    if proven is not None:
        for farm in sorted({source.farm for source in PROVEN.decode(proven).sources}):
            yield height_key(FARM_LOTS + farm, lot.height) + lot_id, b""


def product_cell(product_id: Hash, product: ProductLot) -> bytes:
    """Name the cell that indexes a product lot, by its lot."""
    return height_key(LOT_PRODUCTS + product.lot, product.height) + product_id


def head_of(step: Finalized, finalization: bytes) -> Head:
    """Make the head that a final block stands for."""
    header = step.block.header
    return Head(
        header.chain_id,
        header.height,
        header.hash(),
        header.view,
        header.epoch,
        header.time_ms,
        header.state_root,
        finalization,
    )
